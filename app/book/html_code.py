"""Code in HTML, as every highlighter writes it, back to the text between two fences."""

import re
from itertools import chain, islice

from app.book.html_tree import Element, classes_of, name_of

_LANGUAGE_ABOVE = 3
"""Elements around the code that may name its language, those of a table not counted."""
_UNNAMED = frozenset({"table", "thead", "tbody", "tr", "td", "body", "html"})
_LINES = frozenset({"div", "p", "tr", "li"})
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight(?:-source)?)-([\w+#.-]+)|(?:^|\s)sourceCode\s+([\w+#.-]+)")
_NO_LANGUAGE = frozenset({"default", "text", "none", "plaintext", "notranslate", "undefined"})
_BACKTICKS = re.compile(r"`+")


def fenced(pre: Element) -> str:
    code = code_of(pre)
    longest = max((len(marks) for marks in _BACKTICKS.findall(code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{_language(pre)}\n{code}\n{fence}" if code else ""


def code_of(pre: Element) -> str:
    lines: list[str] = []
    _add_code(pre, lines)
    return "".join(lines).removeprefix("\n").rstrip()


def _add_code(element: Element, out: list[str]) -> None:
    """As it is; an element that is a line of its own ends with a line end."""
    before = len(out)
    if element.text:
        out.append(element.text)
    for child in element:
        _add_code(child, out)
        if name_of(child) in _LINES and not (out and out[-1].endswith("\n")):
            out.append("\n")
        if child.tail:
            out.append(child.tail)
    if name_of(element) in _LINES and len(out) == before:
        out.append("\n")


def _language(pre: Element) -> str:
    inner = (each for each in pre.iterdescendants() if name_of(each) == "code")
    outer = islice((each for each in pre.iterancestors() if name_of(each) not in _UNNAMED), _LANGUAGE_ABOVE)
    for element in chain(inner, [pre], outer):
        given = element.get("data-lang") or element.get("data-language") or ""
        match = _LANGUAGE.search(classes_of(element))
        language = given or ((match[1] or match[2]) if match else "")
        if language and language not in _NO_LANGUAGE:
            return language
    return ""
