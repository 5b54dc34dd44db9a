"""Plain text as a page: paragraphs between blank lines, under what is clearly the heading of a chapter."""

import re
from collections.abc import Iterator

from app.book.addresses import readable_name
from app.book.blocks import Block, Heading
from app.book.files import check_lines, decode
from app.book.pages import Page

MAX_HEADING_CHARS = 100
_PARTS, _CHAPTERS, _SECTIONS = 2, 3, 4
"""Levels of headings; the title has 1."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")
_ORDINAL = (
    r"(?:\d+|[IVXLCDM]+|(?i:the )?(?i:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|first|second|third"
    r"|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last))"
)
_PART = re.compile(rf"(?:PART|Part|BOOK|Book|VOLUME|Volume|ACT|Act) {_ORDINAL}\b(?P<rest>.*)")
_CHAPTER = re.compile(rf"(?:CHAPTER|Chapter|SECTION|Section|LETTER|Letter|SCENE|Scene) {_ORDINAL}\b(?P<rest>.*)")
_NAMED = re.compile(
    r"(?:(?:APPENDIX|Appendix)(?: [A-Z\d])?\b(?P<rest>.*)"
    r"|(?:PROLOGUE|EPILOGUE|PREFACE|FOREWORD|INTRODUCTION|CONCLUSION|AFTERWORD|GLOSSARY|BIBLIOGRAPHY)"
    r"|(?:Prologue|Epilogue|Preface|Foreword|Introduction|Conclusion|Afterword|Glossary|Bibliography))\.?"
)
_REST = re.compile(r"[.:]?|\s*(?:[.:—–-]+\s*|\s)[\"'“‘(]?[A-Z\d].*[^.,;]")
_NUMBERED = re.compile(r"\d{1,3}[.)]? \S.*")
_UNDERLINE = re.compile(r"(?:={3,}|-{3,}|~{3,})")
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def read_plain_text(source: str, content: bytes) -> Page:
    """UTF-8, or UTF-16 with a byte order mark, which is character 0. Raises DocumentError."""
    text = decode(content, source, _UTF_16.get(content[:2], "utf-8"))
    check_lines(text, source)
    return Page(readable_name(source), text, f"/{source}", list(_parts(text)))


def _parts(text: str) -> Iterator[Heading | Block]:
    for start, end in _paragraphs(text):
        heading = _heading(text[start:end].splitlines()) if end - start <= MAX_HEADING_CHARS * 2 else None
        if heading is None:
            yield Block("text", start, end)
        else:
            yield Heading(heading[0], heading[1], "", start, end)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Offsets of the lines between blank lines, without the white space around them."""
    start: int | None = None
    end = 0
    for line in _LINE.finditer(text):
        content = line[0].strip().strip("\ufeff")
        if content:
            first = line.start() + line[0].index(content)
            start, end = first if start is None else start, first + len(content)
        elif start is not None:
            yield start, end
            start = None
    if start is not None:
        yield start, end


def _heading(lines: list[str]) -> tuple[int, str] | None:
    """Level and text of what is a heading: one line, a second with the chapter's name, or one that is underlined."""
    first, *more = (line.strip() for line in lines)
    if len(more) > 1 or len(first) > MAX_HEADING_CHARS:
        return None
    if more and _UNDERLINE.fullmatch(more[0]) and len(more[0]) >= len(first) * 0.8:
        return _level(first) or _underlined_level(first, more[0][0]), first
    level = _level(first)
    return (level, " ".join([first, *more])) if level else None


def _underlined_level(line: str, mark: str) -> int:
    if mark != "=":
        return _SECTIONS
    return _CHAPTERS if _NUMBERED.fullmatch(line) else _PARTS


def _level(line: str) -> int:
    """0 for what is no part or chapter."""
    for pattern, level in ((_PART, _PARTS), (_CHAPTER, _CHAPTERS), (_NAMED, _CHAPTERS)):
        match = pattern.fullmatch(line)
        if match and _REST.fullmatch(match["rest"] or ""):
            return level
    return 0
