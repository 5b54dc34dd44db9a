"""The description of the API at /schema, with a page that needs no network, and that of a stream's events."""

from typing import Any

import msgspec
from litestar import get
from litestar.datastructures import CacheControlHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.router import Router
from litestar.static_files import create_static_files_router
from swagger_ui_bundle import swagger_ui_path

from app.chat.events import Event

ASSETS = "/schema/assets"
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


def assets_router() -> Router | HTTPRouteHandler:
    return create_static_files_router(path=ASSETS, directories=[swagger_ui_path], include_in_schema=False)
