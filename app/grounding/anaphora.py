"""Whether a sentence names what it speaks of only by a pronoun, which means what the sentence before it makes it."""

import re

from app.grounding.wording import CONNECTIVE

VERBS = (
    r"(?:is|are|was|were|has|have|had|can|cannot|could|may|might|must|should|shall|will|would|does|do|did|means?|makes?"
    r"|allows?|applies|apply|leads?|ensures?|includes?|happens?|prevents?|gives?|takes?|works?|helps?|requires?|lets?"
    r"|keeps?|lasts?|depends?|needs?|contains?|consists?|becomes?|remains?|shows?|gets?|expires?|costs?|pays?)"
)
ADVERBS = r"(?:(?:also|always|never|often|usually|then|now|only|even|still|all|both|\w+ly)\ )*"
SUBJECT = re.compile(
    rf"""
      (?:he|she|it|they|him|her|its|their|his|(?:it|he|she|they)['’](?:s|re|ll|d|ve))\b
    | (?:this|that|these|those|both|such|neither|either|each|the\ former|the\ latter)\ {ADVERBS}{VERBS}(?:n['’]t)?\b
    | the\ latter\b
    | (?:one|each|all|both|neither|none|some|most|many|either|any)\ of\ them\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Which names nothing, where a clause begins."""
EXPLETIVE = re.compile(
    r"it(?:['’]s| is| was| may be| can be| would be| has been| seems| appears| follows| turns out| takes| is not)\b"
    r"(?! (?:used|designed|made|built|meant|able|going|connected|attached|set|ready|due|close|next|equal|similar"
    r"|related|compared|limited|subject)\b)[^.;]*? (?:that|to|whether|how|why|when|who|which)\b",
    re.IGNORECASE,
)
CONJUNCTION = re.compile(
    r"(?:while|when|whenever|if|although|though|because|since|as|after|before|until|unless|once|where|whereas"
    r"|as soon as|as long as|even if|so that|in case)\s+",
    re.IGNORECASE,
)
COLONS = (":", "：")
DEMONSTRATIVE = re.compile(r"th(?:is|ese|at|ose)\b", re.IGNORECASE)
"""What it means may also come after it."""
CLAUSE = re.compile(r",\s+(?:(?:then|so|and|but|or)\s+)?")
NOUN = re.compile(
    r"\b(?i:the|an?|this|that|these|those|each|every|any|no|some|all|most|many|your|my|our|two|three|\d[\d.,]*)\s+\w+"
    r"|(?<=\s)[A-Z]\w+|`[^`]+`|\b\w{3,}(?<!s)s\b",
)
PERSON = re.compile(
    r"\b(?:\w{3,}(?:er|or|ant|ent|ist|ee|ian|man|men|woman|lord|child|king|queen|one|body)|user)s?\b|(?<=\s)[A-Z][a-z]+"
)
OF_PERSONS = re.compile(r"(?:he|she|him|his|her)\b", re.IGNORECASE)


def leans(sentence: str) -> bool:
    """The subject of its first clause, or of the one after it, is a pronoun; no noun is before that."""
    text = sentence.strip(" *_\"'”“")
    if text.endswith(COLONS) and DEMONSTRATIVE.match(text):
        return False
    while (connective := CONNECTIVE.match(text)) and connective.end() < len(text):
        text = text[connective.end() :]
    conjunction = CONJUNCTION.match(text)
    if _is_pronoun(text, conjunction.end() if conjunction else 0):
        return True
    clause = CLAUSE.search(text)
    if clause is None or not _is_pronoun(text, clause.end()):
        return False
    noun = PERSON if OF_PERSONS.match(text, clause.end()) else NOUN
    return noun.search(text, 0, clause.start()) is None


def _is_pronoun(text: str, at: int) -> bool:
    return SUBJECT.match(text, at) is not None and EXPLETIVE.match(text, at) is None
