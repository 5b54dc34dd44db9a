"""Formulas in MathML on one line: TeX where it is given, else 1/2, x^2, x_i, √2."""

from collections.abc import Callable, Mapping

from app.book.html_tree import Element, name_of, text_of

_UNSEEN = str.maketrans({"\u2061": " ", "\u2062": "", "\u2063": "", "\u2064": "+"})
"""Signs for applying a function, for a product, a comma and a sum that aren't written."""
_NOT_SHOWN = frozenset({"annotation", "annotation-xml", "mphantom"})
_SPACED = frozenset({"mspace", "mtext"})
_ENCLOSED = frozenset({"mfenced", "mtable"})
_BETWEEN = {"mfenced": ", ", "mtr": ", ", "mtable": "; "}


def formula(math: Element) -> str:
    tex = (each.text for each in math.iter() if name_of(each) == "annotation" and "tex" in (each.get("encoding") or ""))
    source = next(tex, None)
    return f"${source.strip()}$" if source else " ".join(_line(math).split())


def _line(element: Element) -> str:
    name = name_of(element)
    parts = [each for each in element if name_of(each) and name_of(each) not in _NOT_SHOWN]
    if not parts:
        return _token(element, name)
    count, write = _WRITTEN.get(name, (0, _fraction))
    if len(parts) == count:
        return write(*parts)
    row = _BETWEEN.get(name, "").join(f"{_line(each)}{(each.tail or '').strip()}" for each in parts)
    row = f"{(element.text or '').strip()}{row}"
    if name == "msqrt":
        return f"√{row if _is_token(element) else f'({row})'}"
    return f"({row})" if name in _ENCLOSED else row


def _token(element: Element, name: str) -> str:
    text = text_of(element).translate(_UNSEEN)
    return f" {text} " if name in _SPACED else text


def _is_token(element: Element) -> bool:
    while len(element) == 1:
        element = element[0]
    return not len(element)


def _operand(element: Element) -> str:
    line = _line(element)
    return line if _is_token(element) or name_of(element) in _ENCLOSED else f"({line})"


def _fraction(over: Element, under: Element) -> str:
    return f"{_operand(over)}/{_operand(under)}"


def _raised(base: Element, exponent: Element) -> str:
    return f"{_operand(base)}^{_operand(exponent)}"


def _lowered(base: Element, index: Element) -> str:
    return f"{_operand(base)}_{_operand(index)}"


def _both(base: Element, index: Element, exponent: Element) -> str:
    return f"{_lowered(base, index)}^{_operand(exponent)}"


def _root(base: Element, index: Element) -> str:
    return f"{_operand(base)}^(1/{_operand(index)})"


def _accented(base: Element, over: Element) -> str:
    return f"{_operand(base)}{_line(over)}" if name_of(over) == "mo" else _raised(base, over)


_WRITTEN: Mapping[str, tuple[int, Callable[..., str]]] = {
    "mfrac": (2, _fraction),
    "msup": (2, _raised),
    "msub": (2, _lowered),
    "msubsup": (3, _both),
    "mroot": (2, _root),
    "mover": (2, _accented),
    "munder": (2, _lowered),
    "munderover": (3, _both),
}
"""How many parts an element has, and what it makes of them."""
