"""What a browser shows of a Markdown text, by another way than the product's own."""

import re

from lxml import html
from markdown_it import MarkdownIt

_RENDERER = MarkdownIt("commonmark", {"typographer": True, "html": True}).enable(
    ["table", "strikethrough", "smartquotes", "replacements"]
)


def published(markdown: str) -> str:
    """With curly quotes, without markup; an admonition has its title, or is called by its type."""
    text = re.sub(r"\{/\*.*?\*/\}", "", markdown, flags=re.DOTALL)
    text = re.sub(r"^:::(\w+)[ \t]*(.*)$", lambda match: match[2] or match[1], text, flags=re.MULTILINE)
    text = re.sub(r"^(?:import .* from .*|</?Tab.*)$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^:::$", "", text, flags=re.MULTILINE)
    return str(html.fromstring(f"<div>{_RENDERER.render(text)}</div>").text_content())
