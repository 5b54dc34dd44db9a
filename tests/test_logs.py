"""Log lines, for machines and for people."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.logs import configure_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize(("stream", "coloured"), [(io.StringIO(), False), (Terminal(), True)], ids=["file", "terminal"])
def test_text_for_people_has_colours_on_a_terminal_only(stream, coloured):
    configure_logs("warning", console=True, stream=stream)
    structlog.get_logger("tests").warning("index.outdated")
    assert "index.outdated" in stream.getvalue()
    assert ("\x1b[" in stream.getvalue()) is coloured
