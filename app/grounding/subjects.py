"""What a statement speaks about, and whether a claim says the same of something else."""

import re

from app.grounding.evidence import Evidence
from app.grounding.matching import Match, Matching
from app.grounding.statements import Statement

FIRST_CELL = re.compile(r"\|[^|]*")
MARKED_START = re.compile(r"(?:the |an? )?(?:\*{1,2}|`)[^*`]+", re.IGNORECASE)
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
