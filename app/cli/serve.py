"""Serving over what the environment names."""

import asyncio
from pathlib import Path

import click
import msgspec
import structlog

from app.cli.server import address_of, listening_socket, serve_until_stopped
from app.logs import configure_logs
from app.resources import unknown_names
from app.settings import environment, load_settings


@click.command()
@click.option("--host", help="Address to listen on.  [HOST]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [PORT]")
def serve(host: str | None, port: int | None) -> None:
    """Serve over Qdrant and PostgreSQL, as the environment says. Exit code 2 when the settings are wrong."""
    settings = load_settings(environment(Path.cwd()), also=unknown_names)
    settings = msgspec.structs.replace(
        settings, host=host or settings.host, port=settings.port if port is None else port
    )
    configure_logs(settings.log_level)
    listener = listening_socket(settings.host, settings.port)
    address = address_of(listener)
    announce = lambda: structlog.get_logger(__name__).info("serving", address=address, model=settings.model)  # noqa: E731
    asyncio.run(serve_until_stopped(settings, listener, announce))
