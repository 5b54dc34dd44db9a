"""What can be told of a question by its words alone."""

import re
from collections.abc import Sequence

_SAID = r"(?:ask|say|said|tell|told|discuss|talk|mention|answer|want)(?:ed)?"
_WHICH = r"(?:(?:very|last|first|second|third|latest|previous|earlier|other)\ ){0,2}"
ABOUT_CONVERSATION = re.compile(
    rf"""\W*(?:(?:please|and|so|ok|can\ you|could\ you|would\ you|tell\ me|remind\ me|go\ back\ to
            |do\ you\ remember)\W+)*(?:
        (?:what|which|when|how\ (?:often|many))\b[^.?!]*\b(?:did|have|had)\ (?:i|we|you)\ (?:just\ |already\ )*{_SAID}\b
        | what\ (?:was\ the\ (?:very\ )?(?:first|last)\ thing\ (?:that\ )?)?(?:i|we)\ (?:just\ |already\ )*
            (?:asked|said|discussed|talked|mentioned)\b
            (?:\ (?:you|about|before|earlier|first|last|so\ far)\b[^.?!]*)?[.?!\s]*$
        | (?:did|have|had)\ (?:i|we)\ (?:just\ |already\ |ever\ )*(?:ask|say|said|discuss|talk|mention)(?:ed)?\b
        | (?:repeat|summari[sz]e|recall)\ what\ (?:i|we|you)\b
        | (?:(?:what|which|repeat|show|list|summari[sz]e|recall)\b[^.?!]{{0,30}}\b)?(?:my|your|our)\ {_WHICH}
            (?:questions?|answers?|messages?)(?:\ (?:about|before|so\ far|again)\b[^.?!]*)?[.?!\s]*$
        | what\ (?:are|were)\ we\ talking\ about | i\ forgot\ what\ i\b
        | (?:what|repeat|show|list|summari[sz]e|recall)\b[^.?!]*\b(?:this|our)\ (?:conversation|chat|discussion)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def is_about_conversation(question: str) -> bool:
    """Such a question is answered from the history, without citations."""
    return ABOUT_CONVERSATION.match(question) is not None


ABOUT_BOOK = re.compile(
    r"""[^.?!]*\b(?:this|the|your)\ (?:whole\ |entire\ )?
        (?:book|textbook|course|documentation|docs|guide|manual|handbook)
        (?:\ (?:is|was))?(?:\ (?:about|cover|contain|teach|treat|deal\ with|for|aimed\ at|written\ for
            |structured|organi[sz]ed))?[.?!\s]*$""",
    re.VERBOSE | re.IGNORECASE,
)


def is_about_book(question: str) -> bool:
    """As a whole, as in "What is this book about?"."""
    return ABOUT_BOOK.match(question) is not None


SHORT = 3
"""Words; a question of so few leans on the one before."""
LEANING = re.compile(
    r"""
      \b(?:it|its|itself|they|them|their|theirs|that|this|those|these|he|him|his|she|her|hers|there|one|ones|former
        |latter|above|same|such|else|instead|other|others|another)\b
    | ^\W*(?:and|but|so|or|then|also|why|how\ (?:so|come)|what\ about|how\ about|what\ else|for\ example|more|again)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def leans_on_earlier(question: str) -> bool:
    """It is short, or speaks of something by a pronoun: it is searched together with the question before it."""
    return len(re.findall(r"\w+", question)) <= SHORT or LEANING.search(question) is not None


MOST_CORES = 3
SENTENCE = re.compile(r"[^.!?\n]*[^.!?\n\s][^.!?\n]*[.!?\n]*")


def cores(question: str) -> list[str]:
    """The sentences of several that ask something, the last of them MOST_CORES; none if it is one sentence."""
    sentences = [sentence.strip() for sentence in SENTENCE.findall(question)]
    return [sentence for sentence in sentences if sentence.endswith("?")][-MOST_CORES:] if len(sentences) > 1 else []


def core(question: str) -> str | None:
    """The last of them."""
    return next(reversed(cores(question)), None)


def without_courtesies(question: str) -> str:
    """Without the sentences that are nothing else, unless all are."""
    kept = [sentence for sentence in SENTENCE.findall(question) if small_talk(sentence) is None]
    return "".join(kept).strip() or question


def topic(questions: Sequence[str]) -> str | None:
    """The latest question that says by itself what it is about, of those asked before, oldest first."""
    about_book = [one for one in questions if small_talk(one) is None and not is_about_conversation(one)]
    return next((one for one in reversed(about_book) if not leans_on_earlier(one)), next(reversed(about_book), None))


GREETING, THANKS, FAREWELL, IDENTITY = "greeting", "thanks", "farewell", "identity"
FILLER = r"""(?:there|everyone|again|so|very|much|a\ lot|bot|assistant|book|friend|dear|please|in\ advance
    |for\ (?:your|the|that|this)\ \w+)"""
WORDS = {
    GREETING: r"""hi+|hello+|hey+|hiya|howdy|greetings|good\ (?:morning|afternoon|evening|day)|hallo|hola|bonjour|ciao
        |salam|assalam\w*(?:\ o)?\ alaikum|namaste|how\ are\ you(?:\ (?:today|doing))?|what'?s\ up
        |nice\ to\ meet\ you""",
    THANKS: r"""thank\ you|thanks?|thx|ty|cheers|much\ appreciated|merci|danke|gracias|ok(?:ay)?|got\ it|well\ done
        |(?:that(?:'s|\ is|\ was)?\ )?(?:very\ )?(?:great|perfect|helpful|awesome|nice|cool|good)
        |that\ help(?:s|ed)?(?:\ me)?(?:\ (?:a\ lot|very\ much))?""",
    FAREWELL: r"""(?:good)?bye+|good\ night|see\ (?:you|ya)(?:\ (?:later|soon|tomorrow))?|farewell|that(?:'s|\ is)\ all
        |take\ care|have\ a\ (?:nice|good|great)\ (?:day|evening|weekend|one)""",
    IDENTITY: r"""who\ are\ you|what\ are\ you|what\ can\ you\ do(?:\ for\ me)?|what\ do\ you\ do|help|who\ made\ you
        |(?:how\ )?can\ you\ help(?:\ me)?|are\ you\ (?:an?\ )?(?:bot|robot|human|real|ai)|what(?:'s|\ is)\ your\ name
        |how\ do\ you\ work""",
}
SMALL_TALK = {
    kind: re.compile(rf"\W*+(?:(?:{words})\b(?:\W++{FILLER}\b)*+\W*+)++", re.VERBOSE | re.IGNORECASE)
    for kind, words in WORDS.items()
}


def small_talk(question: str) -> str | None:
    """Which kind of courtesy it is, the last of several, if it is nothing else."""
    kind, rest = None, question
    while begun := next(((name, found) for name, words in SMALL_TALK.items() if (found := words.match(rest))), None):
        kind, rest = begun[0], rest[begun[1].end() :]
    return kind if not rest else None
