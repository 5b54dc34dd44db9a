r"""Where the parts of an MDX file end that are no Markdown: tags, expressions, comments, import and export statements.

All works on the text of the file with "\n" as line end. Offsets are characters.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, NamedTuple

_LOOKS = 20
"""How many times the length of a text may be looked at for ends of what begins in it; then nothing more is markup."""

EMBEDDED_FILE = r"data:[\w.+-]++/[\w.+-]++(?:;[\w.=-]++)*?;base64,[\w+/=%-]{100,}+"
"""A pattern for the address of a file that is in the address, such as a picture."""

_STATEMENT = re.compile(
    r"""import\b\s*(?:type\s+)?(?:[{*]|[\w$]+\s*,\s*[{*]|[\w$]+\s+from\s*["']|["'][^"'\n]+["']\s*;?[ \t]*$)"""
    r"""|export\s+(?:(?:const|let|var|function|async|class|type|interface|enum)\s|default\s+[\w$({\[]|[{*])""",
    re.MULTILINE,
)
_LITERALS = (
    r"""(?<!:)//[^\n]*+|/\*.*?(?:\*/|\Z)|(?<!\\)"(?:\\.|[^"\\\n])*+"|(?<!\\)'(?:\\.|[^'\\\n])*+'"""
    r"""|(?<!\\)`[^`\\]*+(?:\\.[^`\\]*+)*+`"""
)
_STATEMENT_PARTS = re.compile(rf"{_LITERALS}|[(\[{{]|[)\]}}]|\n", re.DOTALL)
_EXPRESSION_PARTS = re.compile(rf"{_LITERALS}|[{{}}]", re.DOTALL)
_UNFINISHED = tuple("=,(+&|?:>")

_TAG_START = re.compile(r"</?(?:[A-Za-z][\w.$-]*(?::[\w-]+)?(?=[\s/>])|(?=>))")
_TAG_PARTS = re.compile(r"""=\s*+(?:"[^"]*"|'[^']*')|[{}<>]|\n[ \t]*+\n""")
_RAW_ELEMENT = re.compile(r"<(pre|script|style|textarea)(?=[\s>]|$)", re.IGNORECASE | re.MULTILINE)
_EMBEDDED = re.compile(EMBEDDED_FILE)
_COMMENTS = ((re.compile(r"<!--"), r"-->"), (re.compile(r"\{\s*+/\*"), r"\*/\s*+\}"))

_LINE_END = re.compile(r"[^\S\n]*+(?:\n|\Z)")

_FENCE = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)])\s+)*(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<rest>.*)")
_COMPONENT = re.compile(r" {0,3}(?P<tag><(?P<name>[A-Z][\w.$-]+))")
_CLOSING_TAG = re.compile(r"</([A-Z][\w.$-]+)\s*+>")


class Markup(NamedTuple):
    """Lines that Markdown must not look into; `end` is on the last of them."""

    kind: Literal["skip", "hidden", "code", "text"]
    end: int


def is_mdx(src: str) -> bool:
    """Tell whether a .md file is written as MDX: it imports something or starts a line with a component.

    A component has a name of several letters and an end, as a generic type has not. One that is indented by four spaces
    or more doesn't count: in Markdown that is code.
    """
    scanner, closed = Scanner(src), frozenset(_CLOSING_TAG.findall(src))
    for offset, line in _lines_outside_fences(src):
        if line.startswith("import") and _STATEMENT.match(line):
            return True
        component = _COMPONENT.match(line)
        end = scanner.tag_end(offset + component.start("tag")) if component else None
        if component and end and (component["name"] in closed or src.endswith("/>", 0, end)):
            return True
    return False


def _lines_outside_fences(src: str) -> Iterator[tuple[int, str]]:
    fence, offset = "", 0
    for line in src.split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match["marks"].startswith(fence) and not match["rest"].strip():
                fence = ""
        elif match:
            fence = match["marks"]
        else:
            yield offset, line
        offset += len(line) + 1


class Scanner:
    """Looks for the ends of markup in one text, in time that grows as the text does."""

    def __init__(self, src: str, *, expressions: bool = False) -> None:
        """`expressions`: what is in braces is JavaScript."""
        self._src = src
        self._expressions = expressions
        self._left = _LOOKS * len(src)
        self._markup: dict[int, Markup | None] = {}
        self._statements: dict[int, int | None] = {}
        self._spans: dict[str, list[tuple[int, int]]] = {}

    def markup(self, start: int) -> Markup | None:
        """Recognise comments, expressions, lines of nothing but tags, and elements whose content isn't Markdown."""
        if start not in self._markup:
            self._markup[start] = self._raw_element(start) or self._tags_and_comments(start)
        return self._markup[start]

    def statement_end(self, start: int) -> int | None:
        """Find the end of the import or export statement at `start`; None where there is no statement.

        It ends at the first line end outside brackets, unless the line is unfinished or the next one is indented.
        """
        if start not in self._statements:
            is_statement = self._left > 0 and _STATEMENT.match(self._src, start)
            self._statements[start] = self._statement_end(start) if is_statement else None
        return self._statements[start]

    def tag_end(self, start: int) -> int | None:
        """Find the end of one opening or closing tag; its attributes may hold strings, expressions and line ends."""
        name = _TAG_START.match(self._src, start)
        position = name.end() if name and self._left > 0 else None
        while position is not None:
            part = _TAG_PARTS.search(self._src, position)
            self._left -= (part.end() if part else len(self._src)) - position
            if part and part[0] == ">":
                return part.end()
            if part and part[0] == "{":
                position = self._expression_end(part.start())
            else:
                position = part.end() if part and part[0][0] == "=" else None
        return None

    def end_of(self, closing: str, start: int) -> int | None:
        """Find the end of the first match of a pattern from `start` on."""
        if closing not in self._spans:
            matches = re.finditer(closing, self._src, re.IGNORECASE | re.MULTILINE)
            self._spans[closing] = [match.span() for match in matches]
        spans = self._spans[closing]
        index = bisect_left(spans, (start, 0))
        return spans[index][1] if index < len(spans) else None

    def _statement_end(self, start: int) -> int:
        depth = 0
        for part in _STATEMENT_PARTS.finditer(self._src, start):
            depth += _depth(part[0])
            if part[0] == "\n" and depth <= 0 and _is_finished(self._src, start, part.start()):
                self._left -= part.end() - start
                return part.start()
        self._left -= len(self._src) - start
        paragraph_end = self._src.find("\n\n", start) if depth > 0 else -1
        return len(self._src) if paragraph_end < 0 else paragraph_end

    def _raw_element(self, start: int) -> Markup | None:
        opening = _RAW_ELEMENT.match(self._src, start)
        if not opening:
            return None
        name = opening[1].lower()
        end = self.end_of(rf"</{name}\s*+>", opening.end())
        if end is None:
            return None
        if name in {"script", "style"}:
            return Markup("hidden" if self._is_line_end(end) else "text", end)
        return Markup("code" if name == "pre" else "text", end)

    def _tags_and_comments(self, start: int) -> Markup | None:
        """What begins in several lines and goes on as text is text: it would be lost otherwise."""
        position, kinds = start, set()
        while not self._is_line_end(position):
            while self._src[position] in " \t":
                position += 1
            kind, end = self._part(position)
            if end is None:
                return Markup("text", position) if "\n" in self._src[start:position] else None
            kinds.add(kind)
            position = end
        if "code" in kinds:
            return Markup("code", position) if "\n" in self._src[start:position] else None
        if kinds and _EMBEDDED.search(self._src, start, position):
            kinds.add("hidden")
        return Markup("hidden" if "hidden" in kinds else "skip", position) if kinds else None

    def _part(self, start: int) -> tuple[str, int | None]:
        for opening, closing in _COMMENTS:
            if comment := opening.match(self._src, start):
                return "hidden", self.end_of(closing, comment.end())
        if self._src[start] == "{":
            return "code", self._expression_end(start) if self._expressions else None
        return "skip", self.tag_end(start)

    def _expression_end(self, start: int) -> int | None:
        depth = 0
        for part in _EXPRESSION_PARTS.finditer(self._src, start) if self._left > 0 else ():
            depth += (part[0] == "{") - (part[0] == "}")
            if depth == 0:
                self._left -= part.end() - start
                return part.end()
        self._left -= len(self._src) - start
        return None

    def _is_line_end(self, position: int) -> bool:
        return _LINE_END.match(self._src, position) is not None


def _depth(part: str) -> int:
    return (part in "([{") - (part in ")]}")


def _is_finished(src: str, start: int, line_end: int) -> bool:
    following = src[line_end + 1 : line_end + 2]
    return following not in {" ", "\t"} and not src[start:line_end].rstrip().endswith(_UNFINISHED)
