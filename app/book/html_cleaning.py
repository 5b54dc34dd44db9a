"""What isn't a page's own text taken away: navigation, scripts, buttons, line numbers, marks of notes and pages."""

import re
from collections.abc import Callable, Mapping

from app.book.html_tree import HEADINGS, Element, classes_of, kinds_of, name_of, named, text_of

_DROPPED_TAGS = re.compile(
    "script|style|noscript|template|svg|input|select|textarea|iframe|canvas|object|embed|nav|dialog|audio|video"
)
_DROPPED_ROLES = frozenset({"navigation", "search", "tablist", "banner", "contentinfo", "doc-toc", "doc-noteref"})
_DROPPED_CLASSES = re.compile(
    r"(?:^|\s)(?:toc|table-of-contents|tableOfContents\S*|theme-doc-toc\S*|tocCollapsible\S*|breadcrumbs?|pagination-nav"
    r"|theme-doc-footer\S*|theme-doc-version-b\S*|theme-edit-this-page|sphinxsidebar|prev-next-\S*|rst-footer-buttons"
    r"|sr-only|visually-hidden|screen-reader-text|skip-link|copybtn|viewcode-link|viewcode-back|contents topic)(?=\s|$)"
)
_LINE_NUMBERS = re.compile(
    r"(?:^|\s)(?:line-?nos?|line-?numbers?(?:-rows)?|gutter|ln|lnt|ln-num|hljs-ln-n\w*|codeBlockLineNumber\S*)(?=\s|$)"
)
_HEADING_LINK = re.compile(
    r"(?:^|\s)(?:hash-link|headerlink|header-anchor|heading-anchor|permalink|anchorjs-link)(?=\s|$)"
)
_BACK_LINK = re.compile(r"(?:^|\s)(?:(?:data-)?footnote-back(?:ref)?|reversefootnote)(?=\s|$)")
_NOTE_MARK = re.compile(r"[\[(]?(?:\d{1,4}|[A-Za-z]|[*†‡§¶]{1,4})[\])]?")
_BACK_MARKS = re.compile(r"[↩↵⏎]\ufe0e?\s*\d{0,3}")
_LETTER = re.compile(r"[^\W\d_]")
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden")
_NOTE = re.compile(r"admonition|callout|alert|note|tip|warning|starlight-aside", re.IGNORECASE)
_COPY = re.compile("copy|clipboard", re.IGNORECASE)
_TAB_STRIP = re.compile(r"(?:^|\s)(?:tabbed-labels|tabs)(?=\s|$)")
_LANGUAGE_BOX = re.compile(r"(?:^|\s)language-")

_CODE = frozenset({"pre", "code"})
_CELLS = frozenset({"td", "th"})
_TEXTS = frozenset({"article", "section", "blockquote"})
"""What has a header and footer of its own."""
_LONGEST_PAGE_MARK = 20


def clean(root: Element) -> None:
    """Remove what a reader of the text doesn't read; text after an element stays, and <br> becomes a line end too.

    The labels of tabs go to their panels.
    """
    for element in [*root.iter()]:
        if element.get("role") == "tablist":
            _label_tabs(element)
        elif _is_tab_strip(element):
            _label_boxes(element)
    around_text = _around_text(root)
    for element in [*root.iter()]:
        name = name_of(element)
        if name == "br":
            element.tail = "\n" + (element.tail or "")
        if element not in around_text and _is_dropped(element, name):
            remove(element, _replacement(element, name))


def _around_text(root: Element) -> set[Element]:
    """What a page may hide until it is loaded, or style as a whole: body, and its only main with all around that."""
    found = {root, *named(root, "body")}
    mains = named(root, "main")
    if len(mains) == 1:
        found |= {mains[0], *mains[0].iterancestors()}
    return found


def _label_tabs(tablist: Element) -> None:
    labels = [each for each in tablist.iter() if each.get("role") == "tab"]
    _label(labels, next(filter(None, map(_panels_in, tablist.iterancestors())), []))


def _label_boxes(strip: Element) -> None:
    boxes = strip.getnext()
    _label(named(strip, "label"), [] if boxes is None else [*boxes.iterchildren("*")])


def _label(labels: list[Element], panels: list[Element]) -> None:
    """The label of its tab comes before each panel, where there are as many of either."""
    if len(labels) == len(panels):
        for label, panel in zip(labels, panels, strict=True):
            first = panel.makeelement("p")
            first.text = text_of(label)
            panel.addprevious(first)


def _panels_in(element: Element) -> list[Element]:
    """Those of tabs inside of tabs left out."""
    panels = [each for each in element.iterdescendants() if each.get("role") == "tabpanel"]
    return [each for each in panels if not any(above in panels for above in each.iterancestors())]


def _is_tab_strip(element: Element) -> bool:
    return bool(_TAB_STRIP.search(classes_of(element))) and any(name_of(each) == "label" for each in element)


def _is_dropped(element: Element, name: str) -> bool:
    classes, role = classes_of(element), element.get("role")
    if _DROPPED_TAGS.fullmatch(name) or role in _DROPPED_ROLES or _is_tab_strip(element):
        return True
    if _DROPPED_CLASSES.search(classes) and not _holds_text(element, name):
        return True
    if _LINE_NUMBERS.search(classes) and _is_line_numbers(element, name):
        return True
    is_dropped_tag = name in _DROPPED_IF and _DROPPED_IF[name](element)
    return is_dropped_tag or _is_page_mark(element, name) or _is_hidden(element)


def _is_hidden(element: Element) -> bool:
    is_hidden = element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))
    return (is_hidden and element.get("role") != "tabpanel") or str(element.get("aria-hidden")) == "true"


def _holds_text(element: Element, name: str) -> bool:
    return name in {"main", "article", *_CODE} or any(name_of(each) == "pre" for each in element.iter())


def _holds_heading(element: Element) -> bool:
    return any(name_of(each) in HEADINGS for each in element.iter())


def _is_line_numbers(element: Element, name: str) -> bool:
    """Numbers, and in code's own elements those of a table's cell: their class may also say that numbers are wanted."""
    if _LETTER.search("".join(element.itertext())):
        return False
    is_code = any(name_of(each) in _CODE for each in element.iter())
    return not is_code or name in _CELLS or any(name_of(each) in _CELLS for each in element.iterancestors())


def _is_of_site(element: Element) -> bool:
    """A header or footer without a heading, that doesn't belong to a text, or only leads on."""
    if _holds_heading(element):
        return False
    return not any(name_of(each) in _TEXTS for each in element.iterancestors()) or _is_mostly_links(element)


def _is_in_sentence(button: Element) -> bool:
    """Named by a text that goes on before or after it."""
    if _COPY.search(" ".join(button.get(each) or "" for each in ("class", "title", "aria-label"))):
        return False
    parent, before = button.getparent(), button.getprevious()
    text = (parent.text if before is None else before.tail) or ""
    is_inline = name_of(parent) in {"p", "li", "dd", "td"}
    return is_inline and bool(text.strip() or (button.tail or "").strip())


def _is_page_mark(element: Element, name: str) -> bool:
    """The number of a printed page, or of a note."""
    kinds = kinds_of(element)
    if "noteref" in kinds:
        return True
    return (
        not kinds.isdisjoint({"pagebreak", "doc-pagebreak"})
        and name != "hr"
        and len(text_of(element)) <= _LONGEST_PAGE_MARK
    )


def _is_note_mark(sup: Element) -> bool:
    """A raised link to a note, on this page or on another; also the other way round, a link that is all raised."""
    inside = [each.get("href") or "" for each in named(sup, "a")]
    parent = sup.getparent()
    is_alone = sup.getprevious() is None and sup.getnext() is None
    is_all_of_link = name_of(parent) == "a" and is_alone and not f"{parent.text or ''}{sup.tail or ''}".strip()
    around = [parent.get("href") or ""] if is_all_of_link else []
    is_mark = _NOTE_MARK.fullmatch(text_of(sup)) is not None
    return any(href.startswith("#") for href in inside) or any("#" in href and is_mark for href in [*inside, *around])


def _replacement(element: Element, name: str) -> str:
    """Old MathJax keeps a formula in a script."""
    if name == "script" and (element.get("type") or "").startswith("math/tex"):
        return f"${(element.text or '').strip()}$"
    return ""


def _is_mark_of_link(link: Element) -> bool:
    """A link to the heading it is in, or back from a note: a sign, or words that say so."""
    classes = classes_of(link)
    if _HEADING_LINK.search(classes) or _BACK_LINK.search(classes):
        return True
    href, text = link.get("href") or "", text_of(link)
    if "#" in href and _BACK_MARKS.fullmatch(text):
        return True
    in_heading = any(name_of(each) in HEADINGS for each in link.iterancestors())
    return href.startswith("#") and in_heading and not any(char.isalnum() for char in text)


def _is_language(span: Element) -> bool:
    return classes_of(span) == "lang" and bool(_LANGUAGE_BOX.search(classes_of(span.getparent())))


def _is_aside(element: Element) -> bool:
    return not _NOTE.search(classes_of(element)) and _is_mostly_links(element)


def _is_mostly_links(element: Element) -> bool:
    return sum(len(text_of(each)) for each in named(element, "a")) * 2 > len(text_of(element))


def remove(element: Element, replacement: str = "") -> None:
    """What is after it stays."""
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


_DROPPED_IF: Mapping[str, Callable[[Element], bool]] = {
    "a": _is_mark_of_link,
    "aside": _is_aside,
    "button": lambda button: not _is_in_sentence(button),
    "footer": _is_of_site,
    "form": lambda form: not _holds_heading(form),
    "header": _is_of_site,
    "span": _is_language,
    "sup": _is_note_mark,
}
