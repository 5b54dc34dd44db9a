"""Which sentences of an answer claim something of the book, and which only connect, greet or say that it is silent."""

import re
from collections.abc import Callable

LONGEST = 300
"""Characters; what is longer is a claim."""
MARKS = re.compile(r"[*_`#>\s]+")
PARTS = re.compile(r"[.!?:,;…–—-]\s+|[.!?:,;…]+\Z")
AND_MORE = re.compile(r"[;:]|\b(?:but|however|though|although|instead|because|since|while|and|so)\b|,\s")
BOOK = (
    r"(?:the|this|these|my|your|any of the) (?:(?:given|provided|retrieved|shown|cited) )?"
    r"(?:book|passages?|text|chapters?|sections?|sources?|excerpts?)"
)
GREETINGS = (
    r"(?:hi|hello|hey|greetings|good (?:morning|afternoon|evening|day))(?: there)?",
    r"(?:sure|certainly|of course|okay|ok|great|good|excellent)(?: thing)?",
    r"(?:thanks|thank you)(?: (?:very much|so much|for (?:asking|your question)))?",
    r"(?:(?:that's|that is) an? |what an? )?(?:great|good|excellent|interesting) question",
    r"you(?:'re| are) welcome|goodbye|bye|see you|no problem|my pleasure",
    r"(?:i )?hope (?:this|that|it) helps(?: you)?",
)
TRANSITIONS = (
    r"in (?:summary|short|brief|conclusion|other words|sum|general|detail|addition)",
    r"to (?:summari[sz]e|sum up|conclude)|summary|conclusion|overview|background|details|definition|answer|key points",
    r"example|for (?:example|instance)|finally|first|second|third|next|also|however|moreover|note|steps?|code",
    r"sources?|references",
    r"let me (?:explain|summari[sz]e|elaborate|clarify)(?: (?:it|this|that))?(?: (?:briefly|step by step|in detail))?",
    r"let me (?:break (?:it|this|that) down|walk you through (?:it|this))(?: step by step)?",
    rf"here(?:'s| is) (?:what|how) {BOOK} (?:says?|describes?|explains?|puts?)(?: (?:it|about (?:it|this|that)))?",
    (
        r"here(?:'s| is| are) (?:an?|the|some) (?:(?:short|brief|quick|simple) )?"
        r"(?:summary|overview|example|answer|explanation|details|steps|list|code|key points)"
    ),
    (
        rf"{BOOK} (?:says?|explains?|describes?|puts?|defines?)(?: (?:it|this|that))?"
        r"(?: (?:as follows|like this|in this way|the following))?"
    ),
)
OFFERS = (
    (
        r"(?:please )?(?:let me know|feel free to ask|ask me|just ask)"
        r"(?: (?:if|when|whether|you|have|need|want|would|like|there|is|anything|to|any|more|further|other|questions?"
        r"|help|details?|else|know|unclear|an?|examples?))*"
    ),
    (
        r"(?:do|would|did) you (?:want|like|need|prefer|have)"
        r"(?: (?:me|to|an?|any|some|another|more|further|other|examples?|details?|questions?|help|explain|show|know|see"
        r"|go|on|continue|elaborate|it|this|that))*"
    ),
    r"(?:is there )?anything else(?: (?:you|i|would|like|to|know|can|help|with|do|for))*",
)
EMPTY = re.compile("|".join((*GREETINGS, *TRANSITIONS, *OFFERS)))
SILENT = (
    r"(?:(?:do(?:es)?|did)(?: not|n't) (?:\w+ly )?(?:say|state|mention|cover|contain|explain|describe|discuss|answer"
    r"|address|give|provide|specify|include|tell|define|name|go into)"
    r"|(?:say|state|mention|contain|give|provide)s? (?:nothing|no more|no (?:information|details?))"
    r"|(?:is|are) silent|ha(?:s|ve) (?:nothing|no (?:information|details?|answer)))"
)
FOUND = r"(?:covered|mentioned|described|discussed|explained|addressed)"
OPENING = r"(?:(?:however|but|unfortunately|sorry|beyond that|otherwise|yet|still|i'm (?:sorry|afraid))[,:]? )*"
ABSENCES = (
    rf"{BOOK}(?: (?:i|that|which) (?:\w+ )?(?:found|were|was|shown)(?: \w+)?)?,? (?:(?:itself|also|alone) )?{SILENT}",
    rf"(?:that|this|it) (?:is|was)(?: not|n't) (?:\w+ly )?{FOUND}(?=\Z| (?:by|in) {BOOK}\b)",
    (
        rf"[\w `'/-]+? (?:is|are|was|were)(?: not|n't) (?:\w+ly )?(?:(?:{FOUND}|found|stated|answered|given|contained) "
        rf")?(?:by|in) {BOOK}"
    ),
    r"(?:i|we) (?:could(?: not|n't)|cannot|can't|did(?: not|n't)|do(?: not|n't)) (?:find|see|have|know|answer|tell)",
    rf"there (?:is|are) (?:no|nothing) [\w ]*?\bin {BOOK}",
)
ABSENCE = re.compile(rf"{OPENING}(?:{'|'.join(ABSENCES)})\b")

_SOURCE = (
    r"(?:(?:the|this|these|my|your) (?:(?:given|provided|retrieved|shown|cited) )?"
    r"(?:book|passages?|text|chapter|section|sources?|excerpts?|documentation|guide|manual)|(?:passage|source) \d+)"
)
_TELLS = r"(?:says?|states?|explains?|notes?|describes?|mentions?|specif(?:y|ies)|points? out|tells? (?:us|you)|adds?)"
_TOLD = r"(?:stated|said|explained|noted|described|mentioned|specified|defined|shown)"
LEAD = re.compile(
    rf"(?:according to {_SOURCE}|as {_SOURCE} {_TELLS}|as {_TOLD} (?:in|by) {_SOURCE}),\s+"
    rf"|{_SOURCE} (?:(?:also|clearly|explicitly) )?{_TELLS} that\s+"
    rf"|(?:according to|as {_TOLD} in) (?:the )?(?:section|chapter)(?: on| about)?\s+"
    r"[\"“*_]{0,3}(?P<section>[^\s,\"”*_][^,\"”*_]{0,79})[\"”*_]{0,3},\s+",
    re.IGNORECASE,
)
ANSWER = re.compile(r"[*_]{0,3}(?:yes|no)\b[*_]{0,3}(?:[,.:;!]|\s*[–—]|\s+-)[*_]{0,3}\s+", re.IGNORECASE)
BARE_ANSWER = re.compile(r"yes|no|yes and no|not (?:really|quite|exactly|necessarily)|(?:it|that) depends")


def is_bare_answer(text: str) -> bool:
    """It says no more than "Yes.": what to, no passage can tell."""
    return len(text) <= LONGEST and BARE_ANSWER.fullmatch(_plain(text).rstrip(".!…,: ")) is not None


def without_answer(text: str) -> str:
    """What a sentence says after "Yes,"."""
    answer = ANSWER.match(text)
    rest = text[answer.end() :] if answer else ""
    return rest[:1].upper() + rest[1:] or text


def without_lead(text: str, is_section: Callable[[str], bool]) -> str:
    """What a sentence says after "According to the book,"; one that names a section that is none is left as it is."""
    lead = LEAD.match(text)
    if lead is None or (lead["section"] and not is_section(lead["section"])):
        return text
    rest = text[lead.end() :]
    return rest[:1].upper() + rest[1:] or text


def is_claim(text: str) -> bool:
    """Whatever is not surely empty is one; also what is claimed after "According to the book,"."""
    if len(text) > LONGEST:
        return True
    parts = [part for part in PARTS.split(_plain(text)) if part]
    return any(EMPTY.fullmatch(part) is None for part in parts) and not is_absence(text)


def is_absence(text: str) -> bool:
    """It says that the book is silent, and nothing besides."""
    if len(text) > LONGEST:
        return False
    plain = _plain(text).rstrip(".!… ")
    found = ABSENCE.match(plain)
    return found is not None and AND_MORE.search(plain, found.end()) is None


def _plain(text: str) -> str:
    return MARKS.sub(" ", text.replace("’", "'")).strip().lower()
