r"""Where the parts of an MDX file end that are no Markdown: JSX tags, comments, import and export statements.

All functions work on the text of the file with "\n" as line end. Offsets are characters.
"""

import re
from typing import Literal, NamedTuple

_TAG_LIMIT, _LIMIT = 2_000, 50_000
"""Characters looked at for the end of a tag or of anything else, so that a lone "<" doesn't read the whole file."""

_STATEMENT = re.compile(
    r"""import\b\s*(?:type\s+)?(?:[{*]|[\w$]+\s*,\s*[{*]|[\w$]+\s+from\s*["']|["'][^"'\n]+["']\s*;?[ \t]*$)"""
    r"""|export\s+(?:(?:const|let|var|function|async|class|type|interface|enum)\s|default\s+[\w$({\[]|[{*])""",
    re.MULTILINE,
)
_STATEMENT_PARTS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|[(\[{]|[)\]}]|\n""",
    re.DOTALL,
)
_UNFINISHED = tuple("=,(+&|?:>")

_TAG_START = re.compile(r"</?(?:[A-Za-z][\w.$-]*(?::[\w-]+)?(?=[\s/>])|(?=>))")
_TAG_PARTS = re.compile(r""""[^"]*"|'[^']*'|`(?:\\.|[^`\\])*`|/\*.*?\*/|[{}<>]|\n[ \t]*\n""", re.DOTALL)
_RAW_ELEMENT = re.compile(r"<(pre|script|style|textarea)(?=[\s>]|$)", re.IGNORECASE | re.MULTILINE)
_COMMENTS = (("<!--", "-->"), ("{/*", "*/}"))

_FENCE = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)])\s+)*(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<rest>.*)")
_COMPONENT = re.compile(r" {0,3}<[A-Z]")


class Markup(NamedTuple):
    """Lines that Markdown must not look into; `end` is on the last of them."""

    kind: Literal["skip", "code", "text"]
    end: int


def is_mdx(src: str) -> bool:
    """Tell whether a .md file is written as MDX: it imports something or starts a line with a component.

    A component that is indented by four spaces or more doesn't count: in Markdown that is code.
    """
    fence = ""
    for line in src.split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match["marks"].startswith(fence) and not match["rest"].strip():
                fence = ""
        elif match:
            fence = match["marks"]
        elif _COMPONENT.match(line) or (line.startswith("import") and _STATEMENT.match(line)):
            return True
    return False


def statement_end(src: str, start: int) -> int | None:
    """Find the end of the import or export statement at `start`; None where there is no statement.

    It ends at the first line end outside brackets, unless the line is unfinished or the next one is indented.
    """
    if not _STATEMENT.match(src, start):
        return None
    depth = 0
    for part in _STATEMENT_PARTS.finditer(src, start, start + _LIMIT):
        depth += _depth(part[0])
        if part[0] == "\n" and depth <= 0 and _is_finished(src, start, part.start()):
            return part.start()
    if depth <= 0 and len(src) <= start + _LIMIT:
        return len(src)
    paragraph_end = src.find("\n\n", start)
    return len(src) if paragraph_end < 0 else paragraph_end


def markup(src: str, start: int) -> Markup | None:
    """Recognise comments, lines that hold nothing but tags, and elements whose content isn't Markdown."""
    return _raw_element(src, start) or _tags_and_comments(src, start)


def _depth(part: str) -> int:
    return (part in "([{") - (part in ")]}")


def _is_finished(src: str, start: int, line_end: int) -> bool:
    following = src[line_end + 1 : line_end + 2]
    return following not in {" ", "\t"} and not src[start:line_end].rstrip().endswith(_UNFINISHED)


def _raw_element(src: str, start: int) -> Markup | None:
    opening = _RAW_ELEMENT.match(src, start)
    if not opening:
        return None
    name = opening[1].lower()
    closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(src, opening.end(), start + _LIMIT)
    if not closing:
        return None
    if name in {"script", "style"}:
        return Markup("skip" if _is_line_end(src, closing.end()) else "text", closing.end())
    return Markup("code" if name == "pre" else "text", closing.end())


def _tags_and_comments(src: str, start: int) -> Markup | None:
    """Text after a comment of several lines makes them text: it would be lost otherwise."""
    position, in_comment = start, False
    while not _is_line_end(src, position):
        while src[position] in " \t":
            position += 1
        comment_end = _comment_end(src, position)
        end = comment_end or _tag_end(src, position)
        if end is None:
            return Markup("text", position) if in_comment else None
        in_comment = comment_end is not None and "\n" in src[position:end]
        position = end
    return Markup("skip", position) if position > start else None


def _comment_end(src: str, start: int) -> int | None:
    for opening, closing in _COMMENTS:
        if src.startswith(opening, start):
            end = src.find(closing, start + len(opening), start + _LIMIT)
            return None if end < 0 else end + len(closing)
    return None


def _tag_end(src: str, start: int) -> int | None:
    """Find the end of one opening or closing tag; its attributes may hold strings, expressions and line ends."""
    name = _TAG_START.match(src, start)
    if not name:
        return None
    depth = 0
    for part in _TAG_PARTS.finditer(src, name.end(), name.end() + _TAG_LIMIT):
        depth += (part[0] == "{") - (part[0] == "}")
        if depth == 0 and part[0] == ">":
            return part.end()
        if depth < 0 or (depth == 0 and (part[0] == "<" or part[0].isspace())):
            return None
    return None


def _is_line_end(src: str, position: int) -> bool:
    line_end = src.find("\n", position)
    return not src[position : len(src) if line_end < 0 else line_end].strip()
