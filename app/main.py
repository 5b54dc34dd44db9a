"""The composition root: it may import everything, and nothing imports it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException

from app.errors import BookAgentError
from app.http import book, chat, conversations, health, openapi, problems, state, turns
from app.http.limits import RequestLimit
from app.http.observation import Observed
from app.resources import Resources, open_resources
from app.settings import Settings

OpenResources = Callable[[Settings], AbstractAsyncContextManager[Resources]]


def create_app(settings: Settings, *, open_resources: OpenResources = open_resources) -> Litestar:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_resources(settings) as resources:
            app.state.resources = resources
            app.asgi_handler = Observed(app.asgi_handler, resources.metrics)
            yield

    app = Litestar(
        [
            chat.chat,
            chat.chat_stream,
            turns.events,
            turns.cancel,
            book.retrieve,
            conversations.messages,
            health.live,
            health.ready,
            health.health,
            health.metrics,
            openapi.events_schema,
            openapi.assets_router(),
        ],
        dependencies={
            "resources": Provide(state.provide_resources, sync_to_thread=False),
            "owner": Provide(state.provide_owner, sync_to_thread=False),
            "model_health": Provide(state.provide_model_health, sync_to_thread=False),
        },
        exception_handlers={
            BookAgentError: problems.on_our_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_unexpected,
        },
        lifespan=[lifespan],
        openapi_config=openapi.openapi_config(health.VERSION),
        request_max_body_size=problems.LONGEST_BODY,
        logging_config=None,
    )
    openapi.describe_requests(app.openapi_schema)
    app.state.request_limit = RequestLimit(settings.rate_limit_per_minute)
    app.state.model_health = health.ModelHealth()
    return app
