"""What kind of Markdown a line is."""

import re
from typing import Literal

LONGEST_HEAD = 16
"""Characters of a line that are looked at before the whole of it is."""
HEADING = re.compile(r"#{1,6}(?=\s|\Z)[ \t]*")
ITEM = re.compile(r"(?:[-*+]|[a-zA-Z]\)|(?P<ordinal>[0-9]{1,9})[.)])(?:[ \t]+|$)(?:\[[ xX]\](?=[ \t])[ \t]*)?")
RULE = re.compile(r"([-*_])(?:[ \t]*\1){2,}[ \t]*|:{3,}[ \t]*[a-zA-Z]*[ \t]*")
DIRECTIVE = re.compile(r":{3,}[ \t]*[a-zA-Z-]*[ \t]*")
"""What stands before the title of an admonition."""
UNDERLINE = re.compile(r"(?:=+|-+)[ \t]*")
DELIMITERS = re.compile(r"(?=[^|]*\|)\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
"""The row below a table's head."""
COMMENT, COMMENT_END = "<!--", "-->"
INDENTED = re.compile(r"(?: {4}|\t)")

_OPEN = re.compile(r"#{1,6}|`{1,2}|~{1,2}|[0-9]{1,9}[.)]?|<(?:!-?)?|([-*_+=])(?:[ \t]|\1)*|:{1,2}|[-:][-:| \t]*|")
_WHOLE = re.compile(r"#{1,6}\s|`{3}|~{3}|\||:::")


def quoted(line: str) -> int:
    """How many characters of indentation and of the marks of block quotes stand before the line."""
    return len(line) - len(line.lstrip(" \t>"))


def shape(head: str) -> Literal["open", "whole", "comment", "item", "text"]:
    """What the line that begins so is: open if more of it must be known, whole if all of it must be.

    The head is without what is `quoted`.
    """
    if _OPEN.fullmatch(head):
        return "open" if len(head) < LONGEST_HEAD else "whole"
    if _WHOLE.match(head):
        return "whole"
    if head.startswith(COMMENT):
        return "comment"
    return "item" if ITEM.match(head) else "text"
