"""Small PDFs, written by hand."""

from collections.abc import Sequence


def pdf(
    pages: Sequence[Sequence[str]], outline: Sequence[tuple[int, str, int]] = (), *, title: str = "", extra: str = ""
) -> bytes:
    """Pages of lines; the outline is of level, title and page, each from 0, and its levels are kept flat or nested."""
    objects: list[str] = ["", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"]
    page_numbers = []
    for lines in pages:
        shown = "".join(f"({_escaped(line)}) Tj 0 -14 Td\n" for line in lines)
        stream = f"BT /F1 11 Tf 60 760 Td\n{shown}ET"
        objects.append(f"<< /Length {len(stream.encode('cp1252'))} >>\nstream\n{stream}\nendstream")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {len(objects)} 0 R >>"
        )
        page_numbers.append(len(objects))
    root = len(objects) + 1
    objects += _outline(outline, page_numbers, root)
    objects[0] = "<< /Type /Catalog /Pages 2 0 R " + (f"/Outlines {root} 0 R >>" if outline else ">>")
    kids = " ".join(f"{number} 0 R" for number in page_numbers)
    objects[1] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"
    objects.append(f"<< /Title ({_escaped(title)}) >>")
    return _file(objects, extra)


def _outline(entries: Sequence[tuple[int, str, int]], pages: Sequence[int], root: int) -> list[str]:
    """Objects from number `root` on; a deeper entry is a child of the last one above it."""
    children: dict[int, list[int]] = {root: []}
    parents, above = {}, [root]
    for index, (level, _, _) in enumerate(entries):
        number = root + 1 + index
        above = [*above[: level + 1], number]
        parents[number] = above[-2]
        children[above[-2]].append(number)
        children[number] = []
    objects = [f"<< /Type /Outlines {_ends(children[root])} >>"] if entries else []
    for index, (_, title, page) in enumerate(entries):
        number = root + 1 + index
        siblings = children[parents[number]]
        place = siblings.index(number)
        following = f"/Next {siblings[place + 1]} 0 R" if place + 1 < len(siblings) else ""
        objects.append(
            f"<< /Title ({_escaped(title)}) /Parent {parents[number]} 0 R {following} {_ends(children[number])} "
            f"/Dest [{pages[page]} 0 R /Fit] >>"
        )
    return objects


def _ends(children: Sequence[int]) -> str:
    return f"/First {children[0]} 0 R /Last {children[-1]} 0 R /Count {len(children)}" if children else ""


def _file(objects: Sequence[str], extra: str) -> bytes:
    content = b"%PDF-1.7\n"
    places = []
    for number, source in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{source}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R {extra} >>"
    end = f"trailer\n{trailer}\nstartxref\n{len(content)}\n%%EOF"
    return content + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
