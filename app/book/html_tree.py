"""HTML and XHTML parsed, and where a page's own text is."""

import re
from html.entities import html5
from typing import Any

from lxml import etree

from app.errors import DocumentError

Element = Any
"""An element of lxml; only its local name counts, so that XHTML is as HTML."""

HEADINGS = {f"h{level}": level for level in range(1, 7)}

INVISIBLE = str.maketrans(dict.fromkeys("\u200b\u200c\u2060\ufeff\u00ad", ""))
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")


def parse_html(text: str, source: str) -> Element:
    """The root element. Raises DocumentError for what is empty or nested too deeply."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    return _parsed(text, parser, source)


def parse_xml(text: str, source: str) -> Element:
    """The root element; no entity is expanded but HTML's own. Raises DocumentError, also for what is no XML."""
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
    )
    return _parsed(_ENTITY.sub(_character, text), parser, source)


def name_of(element: Element) -> str:
    """The tag without its namespace; empty for an entity or comment."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def text_of(element: Element) -> str:
    """On one line, without what has no width."""
    return " ".join("".join(element.itertext()).translate(INVISIBLE).split())


def classes_of(element: Element) -> str:
    return element.get("class") or ""


def kinds_of(element: Element) -> set[str]:
    """Its roles: those of HTML, and EPUB's types."""
    return {*f"{element.get(_EPUB_TYPE) or element.get('epub:type') or ''} {element.get('role') or ''}".split()}


def named(root: Element, name: str) -> list[Element]:
    """The root too, if that is its name."""
    return [each for each in root.iter() if name_of(each) == name]


def main_element(root: Element) -> Element:
    """What holds the page's own text."""
    for xpath in (
        "//*[contains(concat(' ', normalize-space(@class), ' '), ' theme-doc-markdown ')]",
        "//*[@itemprop='articleBody']",
        "//*[local-name()='main']",
        "//*[@role='main']",
        "//*[local-name()='article']",
        "//*[local-name()='body']",
    ):
        found = root.xpath(xpath)
        if len(found) == 1:
            return found[0]
    return root


def _parsed(text: str, parser: Any, source: str) -> Element:
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentError(f"{source} cannot be parsed: {error}.") from error
    for entry in parser.error_log:
        if entry.type_name == "ERR_RESOURCE_LIMIT":
            raise DocumentError(f"{source} is {'nested too deeply' if 'depth' in entry.message else 'too large'}.")
    if root is None:
        raise DocumentError(f"{source} is empty.")
    return root


def _character(entity: re.Match[str]) -> str:
    if entity[1] in _XML_ENTITIES:
        return entity[0]
    return html5.get(f"{entity[1]};", entity[0])
