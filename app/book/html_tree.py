"""HTML and XHTML parsed, and what isn't the page's own text taken away: navigation, scripts, buttons, line numbers."""

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
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_DROPPED_TAGS = re.compile(
    "script|style|noscript|template|svg|button|input|select|textarea|iframe|canvas|object|embed|nav|dialog|audio|video"
)
_DROPPED_ROLES = frozenset({"navigation", "search", "tablist", "banner", "contentinfo", "doc-toc"})
_DROPPED_CLASSES = re.compile(
    r"(?:^|\s)(?:toc|table-of-contents|tableOfContents\S*|theme-doc-toc\S*|tocCollapsible\S*|breadcrumbs?|pagination-nav"
    r"|theme-doc-footer\S*|theme-doc-version-b\S*|theme-edit-this-page|sphinxsidebar|prev-next-\S*|rst-footer-buttons"
    r"|sr-only|visually-hidden|screen-reader-text|skip-link|copybtn|line-?nos?|line-?numbers?(?:-rows)?|gutter|ln-num"
    r"|hljs-ln-n\w*|codeBlockLineNumber\S*|contents topic)(?=\s|$)"
)
_HEADING_LINK = re.compile(
    r"(?:^|\s)(?:hash-link|headerlink|header-anchor|heading-anchor|permalink|anchorjs-link)(?=\s|$)"
)
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden")
_NOTE = re.compile(r"admonition|callout|alert|note|tip|warning|starlight-aside", re.IGNORECASE)


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


def clean(root: Element) -> None:
    """Remove what a reader of the text doesn't read; text after an element stays, and <br> becomes a line end too.

    The labels of tabs go to their panels.
    """
    for tablist in [each for each in root.iter() if each.get("role") == "tablist"]:
        _label_panels(tablist)
    for element in [*root.iter()]:
        name = name_of(element)
        if name == "br":
            element.tail = "\n" + (element.tail or "")
        if element is not root and _is_dropped(element, name):
            _remove(element, _replacement(element, name))


def text_of(element: Element) -> str:
    """On one line, without what has no width."""
    return " ".join("".join(element.itertext()).translate(INVISIBLE).split())


def classes_of(element: Element) -> str:
    return element.get("class") or ""


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


def _label_panels(tablist: Element) -> None:
    """Each panel begins with the label of its tab, where there are as many of either."""
    labels = [text_of(each) for each in tablist.iter() if each.get("role") == "tab"]
    panels = next(filter(None, map(_panels_in, tablist.iterancestors())), [])
    if len(labels) != len(panels):
        return
    for label, panel in zip(labels, panels, strict=True):
        first = panel.makeelement("p")
        first.text, first.tail, panel.text = label, panel.text, None
        panel.insert(0, first)


def _panels_in(element: Element) -> list[Element]:
    """Those of tabs inside of tabs left out."""
    panels = [each for each in element.iterdescendants() if each.get("role") == "tabpanel"]
    return [each for each in panels if not any(above in panels for above in each.iterancestors())]


def _is_dropped(element: Element, name: str) -> bool:
    classes, role = classes_of(element), element.get("role")
    if _DROPPED_TAGS.fullmatch(name) or role in _DROPPED_ROLES or _DROPPED_CLASSES.search(classes):
        return True
    if name == "a":
        return _is_heading_link(element, classes)
    if name in {"header", "footer", "form"}:
        return not any(name_of(each) in HEADINGS for each in element.iter())
    if name == "aside":
        return not _NOTE.search(classes) and _is_mostly_links(element)
    if name == "sup":
        return any((each.get("href") or "").startswith("#") for each in element.iter())
    is_hidden = element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))
    return (is_hidden and role != "tabpanel") or str(element.get("aria-hidden")) == "true"


def _replacement(element: Element, name: str) -> str:
    """Old MathJax keeps a formula in a script."""
    if name == "script" and (element.get("type") or "").startswith("math/tex"):
        return f"${(element.text or '').strip()}$"
    return ""


def _is_heading_link(element: Element, classes: str) -> bool:
    """A link to the heading it is in: a sign, or words that say so."""
    if _HEADING_LINK.search(classes):
        return True
    is_local = (element.get("href") or "").startswith("#")
    in_heading = any(name_of(each) in HEADINGS for each in element.iterancestors())
    return is_local and in_heading and not any(char.isalnum() for char in text_of(element))


def _is_mostly_links(element: Element) -> bool:
    links = sum(len(text_of(each)) for each in element.iter() if name_of(each) == "a")
    return links * 2 > len(text_of(element))


def _remove(element: Element, replacement: str) -> None:
    parent = element.getparent()
    if parent is None:
        return
    kept = replacement + (element.tail or "")
    before = element.getprevious()
    if before is None:
        parent.text = (parent.text or "") + kept
    else:
        before.tail = (before.tail or "") + kept
    parent.remove(element)
