"""The text of a page in HTML, written as blocks: code as it is between fences, tables with bars, headings' own ids."""

import re

from app.book.blocks import BlockKind
from app.book.html_code import code_of, fenced
from app.book.html_formulas import formula
from app.book.html_tables import Tables, is_layout
from app.book.html_tree import HEADINGS, INVISIBLE, Element, classes_of, name_of, text_of
from app.book.pages import PageWriter

_BLOCKS = re.compile(
    "address|article|aside|blockquote|body|caption|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|h[1-6]"
    "|header|legend|li|main|menu|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
_NOT_HEADINGS_IN = frozenset({"blockquote", "li", "table", "dd"})
_ADMONITION = re.compile(r"admonition|callout|(?:^|\s)alert(?:\s|$)", re.IGNORECASE)
_LITERALS = frozenset({"code", "kbd", "samp", "tt"})
_WHITE_SPACE = re.compile(r"[^\S\n]*\n\s*|[^\S\n]+")
_NUMBER = re.compile(r"[0-9]{1,9}")
_BACKTICKS = re.compile(r"`+")


def write_blocks(main: Element, writer: PageWriter, *, demoted_by: int = 0, anchor: str = "") -> None:
    """Write everything that is in `main`; headings get a level that is so much deeper.

    `anchor` is that of a heading which has none.
    """
    _Blocks(main, writer, demoted_by, anchor).write(main)


class _Blocks:
    def __init__(self, main: Element, writer: PageWriter, demoted_by: int, anchor: str) -> None:
        self._writer = writer
        self._page_anchor = anchor
        self._demoted_by = demoted_by
        self._around_blocks = _around_blocks(main)
        self._tables = Tables()
        self._text: list[str] = []
        self._lists: list[int | None] = []
        """Of each list that is open the next number, or None for one without numbers."""
        self._marker = ""
        self._quotes = 0
        self._no_headings = 0
        self._in_cell = False
        self._after_item = False
        self._anchor = ""
        """The id of what begins here."""

    def write(self, main: Element) -> None:
        self._walk(main)
        self._flush()

    def _walk(self, element: Element) -> None:
        self._add(element.text)
        for child in element:
            self._child(child, name_of(child))
            self._add(child.tail)

    def _child(self, element: Element, name: str) -> None:
        if name == "hr":
            self._flush()
        elif _BLOCKS.fullmatch(name) or element in self._around_blocks:
            self._flush()
            self._block(element, name)
            self._flush()
        else:
            self._note_anchor(element, is_block=False)
            self._inline(element, name)

    def _block(self, element: Element, name: str) -> None:
        if self._in_cell and name == "pre":
            self._text.append(" ".join(_literal(line.strip()) for line in code_of(element).splitlines()))
        elif self._in_cell:
            self._walk(element)
        elif name in HEADINGS and not self._no_headings:
            self._heading(element, HEADINGS[name])
        elif name == "pre":
            self._write("code", fenced(element))
        elif name == "table" and not is_layout(element):
            self._write("table", self._table(element))
        elif name in {"ul", "ol", "menu"}:
            self._lists.append(_first_number(element) if name == "ol" else None)
            self._walk(element)
            self._lists.pop()
        else:
            self._container(element, name)

    def _container(self, element: Element, name: str) -> None:
        self._note_anchor(element, is_block=True)
        is_quote, no_headings = (
            name == "blockquote",
            name in _NOT_HEADINGS_IN or _ADMONITION.search(classes_of(element)),
        )
        if name == "li":
            self._marker = self._next_marker()
        self._quotes += is_quote
        self._no_headings += bool(no_headings)
        self._walk(element)
        self._flush()
        self._quotes -= is_quote
        self._no_headings -= bool(no_headings)
        self._marker = ""

    def _inline(self, element: Element, name: str) -> None:
        if name == "br":
            self._text.append("\n")
        elif name == "img":
            self._add(element.get("alt"))
        elif name in _LITERALS:
            self._text.append(_literal(text_of(element)))
        elif name == "math":
            self._text.append(formula(element))
        elif name == "sup":
            self._add_raised(element)
        else:
            self._walk(element)

    def _add_raised(self, element: Element) -> None:
        raised = text_of(element)
        if raised:
            self._text.append(f"^{raised}")

    def _heading(self, element: Element, level: int) -> None:
        ids = (each.get("id") or each.get("name") for each in element.iter())
        anchor = next((each for each in ids if each), self._anchor or self._page_anchor)
        text = text_of(element).removesuffix("¶").strip()
        text = text or " ".join(each.get("alt") or "" for each in element.iter() if name_of(each) == "img").strip()
        if text:
            self._writer.heading(min(level + self._demoted_by, 6), text, anchor)
        self._anchor, self._after_item = "", False

    def _table(self, table: Element) -> str:
        rows = self._tables.rows(table, self._cell)
        caption = "".join(f"{text_of(each)}\n" for each in table if name_of(each) == "caption")
        lines = ["| " + " | ".join(row) + " |" for row in rows if any(row)]
        if not lines:
            return caption
        return caption + "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])

    def _cell(self, cell: Element) -> str:
        self._in_cell = True
        self._walk(cell)
        text, self._text, self._in_cell = "".join(self._text), [], False
        return " ".join(text.split()).translate(INVISIBLE).replace("|", "\\|")

    def _add(self, text: str | None) -> None:
        if text:
            self._text.append(_collapsed(text))

    def _flush(self) -> None:
        if self._in_cell:
            self._text.append(" ")
            return
        text = _WHITE_SPACE.sub(lambda space: "\n" if "\n" in space[0] else " ", "".join(self._text)).strip()
        self._text = []
        if text:
            is_item = bool(self._marker)
            marked = self._marked(text.translate(INVISIBLE))
            self._write("text", marked, gap="\n" if is_item and self._after_item else "\n\n")
            self._after_item = is_item

    def _marked(self, text: str) -> str:
        """With the list's marker, and each line with the quote's."""
        marker, self._marker = self._marker, ""
        text = text.replace("\n", "\n" + " " * len(marker)) if marker else text
        quote = "> " * self._quotes
        return "\n".join(f"{quote}{line}" for line in (marker + text).split("\n")) if quote else marker + text

    def _write(self, kind: BlockKind, text: str, gap: str = "\n\n") -> None:
        self._writer.block(kind, text, gap=gap)
        self._anchor, self._after_item = "", False

    def _next_marker(self) -> str:
        if not self._lists:
            return "- "
        number = self._lists[-1]
        indent = "  " * (len(self._lists) - 1)
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _note_anchor(self, element: Element, *, is_block: bool) -> None:
        anchor = element.get("id") or (element.get("name") if name_of(element) == "a" else "")
        if anchor and (is_block or not self._anchor) and not "".join(self._text).strip():
            self._anchor = anchor


def _around_blocks(main: Element) -> set[Element]:
    """The elements that look inline, such as custom ones, and hold blocks."""
    found: set[Element] = set()
    for element in main.iter():
        if _BLOCKS.fullmatch(name_of(element)):
            for above in element.iterancestors():
                if above is main or above in found:
                    break
                found.add(above)
    return found


def _first_number(element: Element) -> int:
    start = element.get("start") or ""
    return int(start) if _NUMBER.fullmatch(start) else 1


def _collapsed(text: str) -> str:
    words = " ".join(text.split())
    if not words:
        return " "
    return f"{' ' if text[0].isspace() else ''}{words}{' ' if text[-1].isspace() else ''}"


def _literal(text: str) -> str:
    longest = max((len(marks) for marks in _BACKTICKS.findall(text)), default=0)
    marks, space = "`" * (longest + 1), " " if longest else ""
    return f"{marks}{space}{text}{space}{marks}" if text else ""
