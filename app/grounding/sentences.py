"""Cuts an answer, as it comes, into segments that can be told or withheld each for itself."""

from typing import Literal, NamedTuple

from app.grounding.bodies import body, shown
from app.grounding.citations import Piece
from app.grounding.code import Code
from app.grounding.lines import COMMENT_END, DELIMITERS, HEADING, ITEM, RULE, UNDERLINE, quoted, shape
from app.grounding.runs import Kind, Run

Block = Literal["", "text", "list", "table", "code", "heading"]
COLONS = (":", "：")


class Segment(NamedTuple):
    kind: Kind
    """item: the first sentence of a list's item. intro: what ends with a colon at the end of a paragraph or item."""
    text: str
    """As it is written, with all that is before it; a citation as [n]."""
    body: str
    """What it says, without marks; may be empty."""
    cited: tuple[int, ...]
    """In order, each once."""
    paragraph: int
    """From 0; a list is one, and so is a table."""
    ordinal: int | None = None
    """Of an item of a numbered list."""


class Segmenter:
    """The texts of the segments make up all that was fed; a comment, or space at the end, is a segment without a body.

    A sentence is given with the first character that shows that it is over, what has no full stop with the first
    that show what the next line is, a heading or a row at the end of its line, a table's first row at that of the
    next, and code at the end of the line that closes it.
    """

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._code = Code()
        self._lead: list[Piece] = []  # goes with the next segment
        self._run: Run | None = None
        self._mode: Literal["start", "whole", "prose", "code", "comment"] = "start"
        self._line: list[Piece] = []  # until it is known what it is
        self._head = ""
        self._block: Block = ""
        self._is_apart = False  # an empty line is before the next block
        self._paragraph = -1

    def feed(self, piece: Piece) -> list[Segment]:
        for each in piece if isinstance(piece, str) else [piece]:
            self._read(each)
        return self._given()

    def finish(self) -> list[Segment]:
        self._code.read("\n")
        if self._mode in {"start", "whole"}:
            self._end_line()
        self._end_run()
        self._give_lead()
        return self._given()

    def _given(self) -> list[Segment]:
        given, self._segments = self._segments, []
        return given

    def _read(self, piece: Piece) -> None:
        self._code.read(piece if isinstance(piece, str) else "x")
        if self._mode == "comment":
            self._read_comment(piece)
        elif piece == "\n":
            self._read_line_end()
        elif self._mode in {"prose", "code"}:
            self._add(piece)
        else:
            self._line.append(piece)
            if self._mode == "start" and (self._head or not (str(piece).isspace() or piece == ">")):
                self._read_head(piece)

    def _read_head(self, piece: Piece) -> None:
        self._head += piece if isinstance(piece, str) else "\0"
        kind = shape(self._head)
        if kind == "comment":
            self._end_run()
            self._lead += self._line
            self._begin_line("comment")
        elif kind == "whole" or (kind == "text" and self._block == "table" and not self._is_apart):
            self._mode = "whole"
        elif kind != "open":
            self._read_prose()

    def _read_comment(self, piece: Piece) -> None:
        self._lead.append(piece)
        self._head = (self._head + str(piece))[-len(COMMENT_END) :]
        if self._head == COMMENT_END:
            self._give_lead()
            self._begin_line("start")

    def _read_line_end(self) -> None:
        if self._mode in {"start", "whole"}:
            self._end_line()
        elif self._run and self._mode == "prose" and self._code.fenced:
            self._run.kind = self._block = self._mode = "code"
        elif self._mode == "code" and not self._code.fenced:
            self._end_run()
            self._mode = "start"
        if self._run:
            self._add("\n")
        else:
            self._lead.append("\n")
        if self._mode != "code":
            self._begin_line("start")

    def _begin_line(self, mode: Literal["start", "comment"]) -> None:
        self._line, self._head, self._mode = [], "", mode

    def _end_line(self) -> None:
        """What the line is, is known with the whole of it."""
        text = self._line_text()
        line = text[quoted(text) :].rstrip()
        if not line:
            self._end_run()
            self._lead += self._line
            self._is_apart = True
        elif self._code.fenced:
            self._begin_block("code", "code")
            self._mode = "code"
        elif self._run and self._run.may_be_table_head and DELIMITERS.fullmatch(line):
            self._complete(self._run, "table_head", "table")
        elif self._run and UNDERLINE.fullmatch(line) and self._run.may_be_heading:
            self._complete(self._run, "heading", "heading")
        elif RULE.fullmatch(line):
            self._end_run()
            self._lead += self._line
            self._block = ""
        elif HEADING.match(line):
            self._begin_block("heading", "heading")
            self._end_run()
        elif line[0] == "|" or ("|" in line and self._block == "table" and not self._is_apart):
            self._read_row()
        else:
            self._read_prose()

    def _line_text(self) -> str:
        return "".join(piece if isinstance(piece, str) else "\0" for piece in self._line)

    def _complete(self, run: Run, kind: Kind, block: Block) -> None:
        """The line makes a head of the run above it."""
        if self._block == "list":
            run.paragraph = self._enter(block)
        run.kind, self._block = kind, block
        run.pieces += self._line
        self._end_run()

    def _read_row(self) -> None:
        is_first = self._block != "table" or self._is_apart
        self._begin_block("row", "table")
        if not is_first:
            self._end_run()

    def _begin_block(self, kind: Kind, block: Block) -> None:
        self._end_run()
        self._run = Run(kind, self._enter(block))
        for piece in self._line:
            self._run.add(piece)

    def _read_prose(self) -> None:
        text = self._line_text()
        marks = quoted(text)
        item = ITEM.match(text, marks)
        if item:
            self._end_run()
            self._run = Run("item", self._enter("list"), int(item["ordinal"]) if item["ordinal"] else None)
        elif self._run is None or not self._run.is_prose:
            self._end_run()
            self._run = Run("sentence", self._enter("list" if text[0] in " \t" and self._block == "list" else "text"))
        for index, piece in enumerate(self._line):
            self._add(piece, is_mark=index < (item.end() if item else marks))
        self._mode = "prose"

    def _enter(self, block: Block) -> int:
        """The number of the paragraph that the block belongs to."""
        is_same = block == self._block and (block == "list" or not self._is_apart) and block not in {"code", "heading"}
        self._block, self._is_apart = block, False
        self._paragraph += not is_same
        return self._paragraph

    def _add(self, piece: Piece, *, is_mark: bool = False) -> None:
        if self._run and (sentence := self._run.add(piece, is_mark=is_mark)):
            self._give(self._run, sentence)

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run:
            space = run.take_space()
            if run.pieces:
                self._give(run, run.pieces)
            self._lead += space

    def _give_lead(self) -> None:
        if self._lead:
            self._segments.append(Segment("sentence", shown(self._lead), "", (), max(self._paragraph, 0)))
        self._lead = []

    def _give(self, run: Run, pieces: list[Piece]) -> None:
        kind = run.kind if run.is_whole else "sentence"
        said = body(kind, pieces)
        is_intro = run.is_prose and said.endswith(COLONS)
        cited = tuple(dict.fromkeys(piece for piece in pieces if isinstance(piece, int)))
        ordinal = run.ordinal if run.is_whole else None
        text = shown([*self._lead, *pieces])
        self._segments.append(Segment("intro" if is_intro else kind, text, said, cited, run.paragraph, ordinal))
        self._lead = []
        run.is_whole = False
