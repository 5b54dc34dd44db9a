"""What a statement speaks about, and whether a claim says the same of something else."""

import re
from collections.abc import Iterator, Sequence

from app.grounding.evidence import Evidence
from app.grounding.matching import Match, Matching
from app.grounding.mentions import BACKWARD
from app.grounding.polarity import clauses
from app.grounding.statements import Statement

FIRST_CELL = re.compile(r"\|[^|]*")
MARKED_START = re.compile(r"(?:the |an? )?(?:\*{1,2}|`)[^*`]+", re.IGNORECASE)
SAID = 0.6
"""Share of the claim's words that the statement's first clause has if it says all but the subject."""
VERB = re.compile(r"(?:are|was|were|have|had|can|may|must|should|will|do)|\w{3,}s|is")
LONGEST_SUBJECT = 3


def speaks_of_another(matching: Matching, match: Match) -> bool:
    """The claim lacks the statement's subject, and has a term that only other statements have."""
    evidence = matching.cited[match.passage]
    ours = matching.known
    there = match.statement.leaning_on | evidence.heading_stems
    foreign = [family for family in matching.families if family and family.isdisjoint(there)]
    if all(family.isdisjoint(evidence.terms) for family in foreign):
        return False
    about = subject(evidence, match.statement)
    return bool(about) and ours.isdisjoint(about)


def of_other_subjects(matching: Matching, match: Match) -> Iterator[str]:
    """The claim begins with the subject of another statement, and lacks that of the one that says the rest of it."""
    evidence, statement = matching.cited[match.passage], match.statement
    about = subject(evidence, statement)
    first = next(iter(matching.families), frozenset[str]())
    there = statement.leaning_on | evidence.heading_stems
    if not (first and about) or first & there or matching.known & {*about} or _goes_on(statement):
        return
    others = (one for one in evidence.statements if one is not statement)
    if _says_most(matching, evidence, statement) and any(first & {*subject(evidence, one)} for one in others):
        yield f"the passage says this of {_named(evidence, statement, about)}, not of {matching.claim.content[0].text}"


def subject(evidence: Evidence, statement: Statement) -> list[str]:
    """Stems of a label, a row's first cell, what is marked at the beginning, or of three words before the verb."""
    text = evidence.said(statement)
    if statement.is_labelled:
        return [word.stem for word in statement.words if word.stem and word.start < statement.label_end]
    if marked := FIRST_CELL.match(text) or MARKED_START.match(text):
        end = statement.start + marked.end()
        return [word.stem for word in statement.words if word.stem and word.start < end]
    found: list[str] = []
    for word in statement.words:
        if found and VERB.fullmatch(word.text):
            break
        found += [word.stem] if word.stem else []
    return found[:LONGEST_SUBJECT]


def _goes_on(statement: Statement) -> bool:
    """About what the one before names, or with a number."""
    text = statement.words[0].text
    return text in BACKWARD or text[0].isdigit()


def _says_most(matching: Matching, evidence: Evidence, statement: Statement) -> bool:
    clause = statement.words if statement.is_row else next(clauses(statement.words, evidence.text))
    stems = evidence.heading_stems.union(word.stem for word in clause if word.stem)
    return sum(not family.isdisjoint(stems) for family in matching.families) >= SAID * len(matching.families)


def _named(evidence: Evidence, statement: Statement, about: Sequence[str]) -> str:
    words = [word for word in statement.words if word.stem][: len(about)]
    return evidence.text[words[0].start : words[-1].end]
