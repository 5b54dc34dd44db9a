"""What handlers are given."""

from litestar.datastructures import State

from app.history.conversations import PUBLIC
from app.http.health import ModelHealth
from app.resources import Resources


def provide_resources(state: State) -> Resources:
    resources: Resources = state.resources
    return resources


def provide_owner() -> str:
    return PUBLIC


def provide_model_health(state: State) -> ModelHealth:
    model_health: ModelHealth = state.model_health
    return model_health
