"""Code of an answer, found again in a passage."""

import re

FENCE = re.compile(r"\s*(?:`{3,}|~{3,}).*")
COMMENT = re.compile(r"(?:^|\s)(?:#(?!\w)|//).*$")


def lines_in(passage: str, code: str) -> tuple[int, int] | None:
    """The span of the passage in which all lines of the code stand; white space and comments don't count.

    None where a line is missing, or where the code has none.
    """
    wanted = {line for each in code.splitlines() if (line := _plain(each))}
    if not wanted:
        return None
    spans: dict[str, tuple[int, int]] = {}
    position = 0
    for each in passage.splitlines(keepends=True):
        spans.setdefault(_plain(each), (position, position + len(each.rstrip())))
        position += len(each)
    if not wanted <= spans.keys():
        return None
    found = [spans[line] for line in wanted]
    return min(start for start, _ in found), max(end for _, end in found)


def _plain(line: str) -> str:
    return "" if FENCE.fullmatch(line) else " ".join(COMMENT.sub("", line).split())
