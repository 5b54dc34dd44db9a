"""Code of an answer, found again in a passage."""

import re

FENCE = re.compile(r"[ \t>]*(?:`{3,}|~{3,})[ \t]*[\w+#.-]*[ \t]*")


def lines_in(passage: str, code: str) -> tuple[int, int] | None:
    """The span of the passage in which all lines of the code stand, comments too, in this order, however indented.

    None where a line is missing, or where the code has none.
    """
    wanted = [line for each in code.splitlines() if (line := _plain(each))]
    first = last = None
    position = 0
    for each in passage.splitlines(keepends=True):
        if wanted and _plain(each) == wanted[0]:
            first = position if first is None else first
            last = position + len(each.rstrip())
            wanted.pop(0)
        position += len(each)
    return None if wanted or first is None or last is None else (first, last)


def _plain(line: str) -> str:
    return "" if FENCE.fullmatch(line) else " ".join(line.split())
