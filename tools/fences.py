"""Data for the model stands between tags; nothing in it can end them."""

import re


def inside(tag: str, text: str) -> str:
    """The text, with each beginning and end of the tag in it broken."""
    return re.sub(rf"<(?=\s*/?\s*{tag})", r"<\\", text, flags=re.IGNORECASE)
