"""markdown-it set up for books: plain Markdown and MDX, with tables, without HTML blocks that swallow code fences.

Only the block structure is parsed. In MDX, indentation never makes code, so tags may indent what is in them.
"""

import functools
import re
from bisect import bisect_left
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, code
from markdown_it.token import Token

from app.book.mdx import Scanner

MAX_NESTING = 100
_INTERRUPTS: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote"]}
_UNDERLINE = re.compile(r"(?:=+|-+)[ \t]*$")
_MDX_COMMENT = re.compile(r"(?<![ \t])[ \t]*+\{\s*+/\*.*?\*/\s*+\}")
_FORMULA = re.compile(r"(\$\$|\\\[)(?:(?!\$\$|\\\]).)*$")
_FORMULA_ENDS = {"$$": r"\$\$(?=[ \t]*$)|^[ \t>]*$", "\\[": r"\\\](?=[ \t]*$)|^[ \t>]*$"}
"""The end of a formula that begins so, or an empty line."""
_VISIBLE = frozenset({"text", "text_special", "code_inline", "image"})


@functools.cache
def parser(*, is_mdx: bool) -> MarkdownIt:
    """Return a parser whose tokens have, beside Markdown's own types, raw_skip, raw_hidden, raw_code and raw_text.

    It needs the text's mdx.Scanner as "scanner" in its environment.
    """
    md = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table").disable("inline")
    md.block.ruler.at("html_block", _raw, _INTERRUPTS)
    md.block.ruler.before("fence", "math", _math, _INTERRUPTS)
    if is_mdx:
        md.disable(["code", "lheading"])
        md.block.ruler.before("paragraph", "statement", _statement)
        md.block.ruler.at("paragraph", _mdx_paragraph)
    else:
        md.block.ruler.at("code", _indented_code)
    return md


def heading_text(md: MarkdownIt, source: str, env: dict[str, object]) -> str:
    """Return what a reader sees of a heading, white space as it is: a link's text, an image's description."""
    tokens: list[Token] = []
    md.inline.parse(_MDX_COMMENT.sub("", source), md, env, tokens)
    return "".join(_visible(tokens))


def _visible(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in _VISIBLE:
            yield token.content
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "


def _raw(state: StateBlock, line: int, last_line: int, silent: bool) -> bool:
    start = state.bMarks[line] + state.tShift[line]
    if state.src[start : start + 1] not in {"<", "{"} or state.is_code_block(line):
        return False
    found = _scanner(state).markup(start)
    if found is None:
        return False
    return _consume(state, line, last_line, f"raw_{found.kind}", found.end) if not silent else True


def _math(state: StateBlock, line: int, last_line: int, silent: bool) -> bool:
    """A formula in $$ or brackets with a backslash, without empty lines; a line of it may look like a heading."""
    opening = _FORMULA.match(state.src, state.bMarks[line] + state.tShift[line], state.eMarks[line])
    if opening is None or state.is_code_block(line):
        return False
    end = _scanner(state).end_of(_FORMULA_ENDS[opening[1]], opening.end())
    if end is None or not state.src.endswith(("$$", "\\]"), opening.end(), end):
        return False
    return _consume(state, line, last_line, "raw_text", end) if not silent else True


def _indented_code(state: StateBlock, line: int, last_line: int, silent: bool) -> bool:
    """Text that is indented because a tag is around it is no code."""
    before = state.tokens[-1] if state.tokens else None
    follows_tag = (
        before is not None
        and before.type in {"raw_skip", "raw_hidden"}
        and before.map is not None
        and before.map[1] == line
    )
    return not follows_tag and code(state, line, last_line, silent)


def _statement(state: StateBlock, line: int, last_line: int, silent: bool) -> bool:
    if silent or state.level or state.sCount[line]:
        return False
    end = _scanner(state).statement_end(state.bMarks[line])
    return end is not None and _consume(state, line, last_line, "raw_hidden", end)


def _scanner(state: StateBlock) -> Scanner:
    scanner: Scanner = state.env["scanner"]
    return scanner


def _consume(state: StateBlock, line: int, last_line: int, kind: str, end: int) -> bool:
    """Make one token of the lines up to the one that `end` is on; refuse where the block around them ends before."""
    next_line = bisect_left(state.eMarks, end, lo=line) + 1
    if next_line > last_line:
        return False
    state.line = next_line
    state.push(kind, "", 0).map = [line, next_line]
    return True


def _mdx_paragraph(state: StateBlock, line: int, last_line: int, silent: bool) -> bool:  # noqa: ARG001 (as above)
    """Read a paragraph or a heading underlined with = or -.

    markdown-it's own rules take every deeply indented line as text of the paragraph, also a fence.
    """
    next_line, level = line + 1, 0
    while next_line < state.lineMax and not state.isEmpty(next_line):
        level = _underline_level(state, next_line)
        if level or (state.sCount[next_line] >= 0 and _is_interrupted(state, next_line)):
            break
        next_line += 1
    content = state.getLines(line, next_line, state.blkIndent, False).strip()
    state.line = next_line + (1 if level else 0)
    name, tag = ("heading", f"h{level}") if level else ("paragraph", "p")
    state.push(f"{name}_open", tag, 1).map = [line, state.line]
    state.push("inline", "", 0).content = content
    state.push(f"{name}_close", tag, -1)
    return True


def _underline_level(state: StateBlock, line: int) -> int:
    start = state.bMarks[line] + state.tShift[line]
    if state.sCount[line] < state.blkIndent or not _UNDERLINE.match(state.src, start, state.eMarks[line]):
        return 0
    return 1 if state.src[start] == "=" else 2


def _is_interrupted(state: StateBlock, line: int) -> bool:
    around, state.parentType = state.parentType, "paragraph"
    rules = state.md.block.ruler.getRules("paragraph")
    interrupted = any(rule(state, line, state.lineMax, True) for rule in rules)
    state.parentType = around
    return interrupted
