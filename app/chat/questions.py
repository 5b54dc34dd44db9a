"""What can be told of a question by its words alone."""

import re

ABOUT_CONVERSATION = re.compile(
    r"""\W*(?:(?:please|and|so|can\ you|could\ you|tell\ me|remind\ me)\W+)*(?:
        (?:what|which|when|how\ (?:often|many))\b[^.?!]*\b(?:did|have|had)\ (?:i|we|you)\ (?:just\ |already\ )*
            (?:ask|say|said|tell|told|discuss|talk|mention|answer)(?:ed)?\b
        | (?:did|have|had)\ (?:i|we)\ (?:just\ |already\ |ever\ )*(?:ask|say|said|discuss|talk|mention)(?:ed)?\b
        | (?:repeat|summari[sz]e|recall)\ what\ (?:i|we|you)\b
        | (?:what|which|repeat|show|list|summari[sz]e|recall)\b[^.?!]*\b(?:my|your|our)\ (?:\w+\ ){0,2}
            (?:question|answer|message)s?\b
        | (?:what|repeat|show|list|summari[sz]e|recall)\b[^.?!]*\b(?:this|our)\ (?:conversation|chat|discussion)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def is_about_conversation(question: str) -> bool:
    """Such a question is answered from the history, without citations."""
    return ABOUT_CONVERSATION.match(question) is not None


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


SENTENCE = re.compile(r"[^.!?\n]*[^.!?\n\s][^.!?\n]*[.!?\n]*")


def core(question: str) -> str | None:
    """The last sentence of several that asks something; None if it is all there is."""
    sentences = [sentence.strip() for sentence in SENTENCE.findall(question)]
    asking = [sentence for sentence in sentences if sentence.endswith("?")]
    return asking[-1] if asking and len(sentences) > 1 else None


GREETING, THANKS, FAREWELL, IDENTITY = "greeting", "thanks", "farewell", "identity"
FILLER = r"""(?:there|everyone|again|so|very|much|a\ lot|bot|assistant|book|friend|dear|please
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
    """Which kind of courtesy it is, if it is nothing else."""
    kinds = [kind for kind, words in SMALL_TALK.items() if words.fullmatch(question)]
    if kinds:
        return kinds[0]
    greeting = SMALL_TALK[GREETING].match(question)
    rest = question[greeting.end() :] if greeting else ""
    return small_talk(rest) if greeting and rest and greeting.end() else None
