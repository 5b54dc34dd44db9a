"""Addresses in an answer: only the book's own may stand there."""

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

from app.grounding.instructions import without_orders
from app.grounding.wording import CODE, without_numbers

NO_CITATION = r"(?!\d+\])"
IMAGE = re.compile(
    rf" ?!\[{NO_CITATION}[^\[\]]*+\](?:\([^()\s]*+(?:\([^()\s]*+\)[^()\s]*+)*+(?:\s[^()\n]*+)?+\)|\[[^\[\]\n]*+\])"
)
LINK = re.compile(
    rf"\[{NO_CITATION}([^\[\]]*+)\]"
    r"\(\s*+<?+([^()\s<>]*+(?:\([^()\s]*+\)[^()\s<>]*+)*+)>?+(?:\s[^()\n]*+)?+\)"
)
TARGET = re.compile(r"(?<!\[\d)(?<!\[\d\d)(?<!\[\d\d\d)\]\(")
"""Of a link that `LINK` does not read."""
SCHEME = (
    r"\b[a-z][a-z0-9+.-]{1,20}+://|//(?=[\w-]++\.\w)|\bwww\.|\b(?:javascript|vbscript):|\b(?:mailto|tel):(?=\S)"
    r"|\bfile:(?=/)|\bdata:(?=[\w/+.;=-]*+,)"
)
DOMAIN = (
    r"(?<![\w/.-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|ai|gov|edu|info|biz|co|app|xyz|me|tv|ru|cn|uk|de|eu|top|site"
    r"|online|shop|link|click|ly|url)(?![\w-]|\.\w)"
)
MAIL = r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]++\.\w"
ADDRESS = re.compile(rf"(?:{SCHEME}|{DOMAIN}|{MAIL})[^\s<>`\"'\])]*+", re.IGNORECASE)
AFTER = ".,;:!?*"
"""Of a sentence, not of an address at its end."""
UNSAFE = re.compile(r"(?:javascript|vbscript|data|file):", re.IGNORECASE)
REFERENCE = re.compile(rf"^[ \t>]*+\[{NO_CITATION}[^\[\]\n]++\]:\s*+\S", re.MULTILINE)
TAG = re.compile(r"<(?:/?[a-z][a-z0-9-]*+(?=[\s/>]|\Z)|[!?])", re.IGNORECASE)


class Links:
    """What the book's own addresses are: of links those of its pages, in code also those that it has in backticks."""

    def __init__(self, base_url: str, urls: Callable[[], list[str]], texts: Callable[[], Iterable[str]] = list) -> None:
        """`urls` and `texts`: of the passages shown so far. One that speaks to an assistant has no address to give."""
        self._base_url = base_url.rstrip("/")
        self._urls = urls
        self._texts = texts

    def without_foreign(self, text: str) -> str:
        """Images are gone, and a link to somewhere else is its text; code is left as it is."""
        return "".join(part if is_code else LINK.sub(self._kept, IMAGE.sub("", part)) for part, is_code in _parts(text))

    def has_foreign(self, text: str, *, in_code: bool = False) -> bool:
        """An address or a tag stands in it, and not as the target of a link to the book; in code tags don't count."""
        plain = LINK.sub(lambda match: match[1] if self.is_own(match[2]) else match[0], text)
        if not in_code and (_has_image(text) or any(_is_marked(part) for part in _prose(plain))):
            return True
        parts = [(plain, True)] if in_code else _parts(plain)
        return any(
            not self.is_own(address) and not (is_code and self._is_told(address))
            for part, is_code in parts
            for address in _addresses(part)
        )

    def is_own(self, url: str) -> bool:
        if self._base_url and (url == self._base_url or url.startswith((f"{self._base_url}/", f"{self._base_url}#"))):
            return True
        address = url.partition("#")[0]
        return not _leaves(url) and any(address == own.partition("#")[0] for own in self._urls())

    def _is_told(self, url: str) -> bool:
        """By a passage, in code within a line: in its prose and blocks of code an address may be planted."""
        texts = [text for text in self._texts() if url in text and without_orders(text) == text]
        return not UNSAFE.match(url) and any(url in _addresses(span) for text in texts for span in _spans(text))

    def _kept(self, match: re.Match[str]) -> str:
        return f"[{match[1]}]({match[2]})" if self.is_own(match[2]) else match[1]


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Each with whether it is a code span."""
    position = 0
    for code in CODE.finditer(text):
        yield text[position : code.start()], False
        yield code.group(), True
        position = code.end()
    yield text[position:], False


def _prose(text: str) -> Iterator[str]:
    return (part for part, is_code in _parts(text) if not is_code)


def _spans(text: str) -> Iterator[str]:
    """Of code, within a line."""
    return (part for part, is_code in _parts(text) if is_code and "\n" not in part and not part.startswith("```"))


def _addresses(text: str) -> list[str]:
    return [match[0].rstrip(AFTER) for match in ADDRESS.finditer(text)]


def _has_image(text: str) -> bool:
    """Also one that is there without the citations."""
    return any(IMAGE.search(part) for part in _prose(without_numbers(text)))


def _is_marked(text: str) -> bool:
    return any(mark.search(text) for mark in (REFERENCE, TAG, TARGET))


def _leaves(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    return bool(parts.scheme or parts.netloc) or "\\" in url
