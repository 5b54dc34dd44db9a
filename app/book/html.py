"""A page of a built documentation site."""

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from app.book.addresses import readable_name
from app.book.files import check_lines, decode
from app.book.html_blocks import write_blocks
from app.book.html_cleaning import clean
from app.book.html_tree import Element, main_element, name_of, parse_html, parse_xml, text_of
from app.book.pages import Page, PageWriter
from app.errors import DocumentError, NotForReadersError

MAX_TITLE_CHARS = 300
_GENERATED = frozenset({"404", "genindex", "py-modindex"})
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]+)|<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w-]+)""", re.IGNORECASE
)
_ENCODING = re.compile(
    r"utf-?8|utf-?16(?:[bl]e)?|(?:iso-8859|windows|cp|koi8)-?\w{1,5}|us-ascii|ascii|latin-?1|shift[_-]jis|euc-\w\w|gb\w+|big5"
)
_WESTERN = re.compile(r"iso-8859-1|us-ascii|ascii|latin-?1")
_BEFORE_SITE_NAME = (" | ", " :: ", " • ", " · ", " » ", " — ", " – ", " - ")


def read_html(source: str, content: bytes) -> Page:
    """Raises DocumentError; NotForReadersError for a redirect, and what the site keeps from search engines."""
    path = PurePosixPath(source)
    if path.stem in _GENERATED:
        raise NotForReadersError(f"{source} is made by the site's builder.")
    text = decode_html(content, source)
    root = parse_xml(text, source) if path.suffix.lower() == ".xhtml" else parse_html(text, source)
    _check_is_for_readers(root, source)
    clean(root)
    main = main_element(root)
    title = _title(root, main) or readable_name(source)
    writer = PageWriter()
    write_blocks(main, writer)
    check_lines(writer.text, source)
    return Page(title, writer.text, _address(source, root), writer.parts)


def decode_html(content: bytes, source: str) -> str:
    """By byte order mark, else as declared, else as UTF-8. Raises DocumentError."""
    by_mark = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), "")
    declared = _DECLARED.search(content[:4096])
    named = (declared[1] or declared[2]).decode("ascii", "replace").lower() if declared else "utf-8"
    if by_mark or named.startswith("utf-16"):
        return decode(content, source, by_mark or "utf-8")
    if not _ENCODING.fullmatch(named):
        raise DocumentError(f"{source} is in an encoding that is not known: {named}.")
    try:
        return decode(content, source, "cp1252" if _WESTERN.fullmatch(named) else named)
    except LookupError as error:
        raise DocumentError(f"{source} is in an encoding that is not known: {named}.") from error


def _check_is_for_readers(root: Element, source: str) -> None:
    for meta in (each for each in root.iter() if name_of(each) == "meta"):
        content = (meta.get("content") or "").lower()
        if (meta.get("http-equiv") or "").lower() == "refresh" and "url" in content:
            raise NotForReadersError(f"{source} leads to another page.")
        if (meta.get("name") or "").lower() == "robots" and ("noindex" in content or content == "none"):
            raise NotForReadersError(f"{source} is marked as noindex.")


def _title(root: Element, main: Element) -> str:
    """The text's own H1, else the title without the site's name, else an H1 around the text."""
    full = next((text_of(each) for each in root.iter() if name_of(each) == "title"), "")
    mark = next((mark for mark in _BEFORE_SITE_NAME if mark in full), None)
    named = full.rpartition(mark)[0] if mark else full
    return (_first_heading(main) or named or _first_heading(root))[:MAX_TITLE_CHARS]


def _first_heading(scope: Element) -> str:
    return next(filter(None, (text_of(each) for each in scope.iter() if name_of(each) == "h1")), "")


def _address(source: str, root: Element) -> str:
    """The folder of an index.html, else the file; or that form of it which the page itself names."""
    path = PurePosixPath(source)
    is_index = path.stem.lower() == "index"
    bare = "/" + "/".join(path.parts[:-1] if is_index else (*path.parts[:-1], path.stem))
    links = (each for each in root.iter() if name_of(each) == "link" and each.get("rel") == "canonical")
    canonical = next((urlsplit(each.get("href") or "").path for each in links), "")
    forms = [form for form in (bare, f"{bare}/", f"/{source}") if form != "/" and canonical.endswith(form)]
    return max(forms, key=len, default=bare if is_index else f"/{source}")
