"""What a segment of an answer says, without its marks."""

import re
from collections.abc import Sequence

from app.grounding.citations import Piece
from app.grounding.lines import HEADING, ITEM
from app.grounding.runs import Kind

CITED = "\0"
BETWEEN = ",;"
MARKERS = re.compile(rf" ?(?:\({CITED}\)|\*\*{CITED}\*\*|__{CITED}__|\*{CITED}\*|_{CITED}_|{CITED})")
NEIGHBOURS = re.compile(rf"{CITED}(?:[ {BETWEEN}]{{0,2}}{CITED})+")
SPACES = re.compile(r"\s+")
FENCE = re.compile(r"(?P<marks>`{3,}|~{3,})[ \t]*\S*(?P<more>.*)")
CELL_END = "; "
CELL_BAR = re.compile(r"(?<!\\)\|")
EMPHASIS = ("***", "___", "**", "__", "*", "_")
CLOSING_MARKS = re.compile(r"(?:\A|(?<=\s))#+\Z")


def shown(pieces: Sequence[Piece]) -> str:
    """As it is written, a citation as [n]."""
    return "".join(piece if isinstance(piece, str) else f"[{piece}]" for piece in pieces)


def body(kind: Kind, pieces: Sequence[Piece]) -> str:
    """Without citations and marks; the cells of a row with CELL_END between them; of code, what is between the fences.

    Every word is in it but the language of code.
    """
    if kind == "code":
        return _code(shown(pieces))
    text = _marked(pieces)
    if kind in {"row", "table_head"}:
        return _row(text)
    if kind == "heading":
        return _heading(text)
    return _prose(text, is_item=kind == "item")


def _prose(text: str, *, is_item: bool) -> str:
    lines = [line.lstrip(" \t>") for line in text.split("\n")]
    while is_item and (item := ITEM.match(lines[0])):
        lines[0] = lines[0][item.end() :]
    return _plain(" ".join(lines))


def _heading(text: str) -> str:
    first, _, underline = text.lstrip(" \t>").partition("\n")
    return _plain(first if underline else CLOSING_MARKS.sub("", HEADING.sub("", first.rstrip(), count=1)))


def _row(text: str) -> str:
    cells = CELL_BAR.split(text.partition("\n")[0].strip(" \t\r>"))
    return CELL_END.join(said for cell in cells if (said := _plain(cell)))


def _code(text: str) -> str:
    first, *lines = text.split("\n")
    fence = FENCE.search(first)
    if fence is None:
        return text.strip()
    last = lines[-1].strip(" \t\r>") if lines else ""
    if last.startswith(fence["marks"]) and not last.strip(last[0]):
        lines.pop()
    return "\n".join([fence["more"].strip(), *lines]).strip("\r\n")


def _marked(pieces: Sequence[Piece]) -> str:
    return "".join(piece.replace(CITED, "") if isinstance(piece, str) else CITED for piece in pieces)


def _plain(text: str) -> str:
    text = MARKERS.sub("", NEIGHBOURS.sub(CITED, SPACES.sub(" ", text))).strip()
    for mark in EMPHASIS:
        inner = text[len(mark) : -len(mark)]
        if text == f"{mark}{inner}{mark}" and inner and mark not in inner:
            text = inner.strip()
    return text
