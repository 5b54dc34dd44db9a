"""The description of the API at /schema, with a page that needs no network, and that of a stream's events."""

import re
from typing import Any

import msgspec
from litestar import Request, get
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import OpenAPI
from litestar.router import Router
from litestar.static_files import create_static_files_router
from swagger_ui_bundle import swagger_ui_path

from app.book.vector_store import Filters
from app.chat.events import Event
from app.http.schemas import ChatRequest, RetrieveRequest

ASSETS = "/schema/assets"
ASSET = re.compile(r"/?[\w.-]{1,100}", re.ASCII)
REQUESTS = (ChatRequest, RetrieveRequest, Filters)
BOUNDS = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}
NO_ICON = "<link rel='icon' href='data:,'>"


def openapi_config(version: str) -> OpenAPIConfig:
    page = SwaggerRenderPlugin(
        js_url=f"{ASSETS}/swagger-ui-bundle.js",
        css_url=f"{ASSETS}/swagger-ui.css",
        standalone_preset_js_url=f"{ASSETS}/swagger-ui-standalone-preset.js",
        favicon=NO_ICON,
    )
    return OpenAPIConfig(
        title="book-agent",
        version=version,
        description="Answers questions about a book, only from that book, with every citation checked.",
        path="/schema",
        render_plugins=[page],
    )


@get(
    "/schema/events",
    summary="JSON Schema of the events of a stream",
    tags=["chat"],
    media_type="application/schema+json",
    sync_to_thread=False,
    cache_control=CacheControlHeader(max_age=3600),
)
def events_schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of a turn: the data of a server-sent event, whose name is its type",
        **msgspec.json.schema(Event),
    }


def describe_requests(api: OpenAPI) -> None:
    """That unknown fields are refused, and the bounds of a field that may be null, which the framework loses."""
    known = msgspec.json.schema_components(REQUESTS)[1]
    for name, schema in ((kind.__name__, api.components.schemas[kind.__name__]) for kind in REQUESTS):
        schema.additional_properties = False
        for field, said in known[name]["properties"].items():
            described: Any = (schema.properties or {})[field]
            for attribute in BOUNDS.keys() & said.get("anyOf", [{}])[0].keys():
                setattr(described.one_of[0], BOUNDS[attribute], said["anyOf"][0][attribute])


async def _check_asset(request: Request[Any, Any, Any]) -> None:
    if not ASSET.fullmatch(request.path_params["file_path"]):
        raise NotFoundException


def assets_router() -> Router | HTTPRouteHandler:
    return create_static_files_router(
        path=ASSETS, directories=[swagger_ui_path], include_in_schema=False, before_request=_check_asset
    )
