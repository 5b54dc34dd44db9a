"""What of an answer only names or announces what follows: it claims nothing, but tells of what a list's item speaks."""

import re
from collections.abc import Sequence

from app.chat.shown_passages import ShownPassages
from app.grounding.evidence import Evidence
from app.grounding.facts import problems
from app.grounding.polarity import is_limited
from app.grounding.sentences import Segment
from app.grounding.support import Judge

LABEL = frozenset(
    re.findall(
        r"\w+",
        """advantag answer appli aspect background basic benefit book brief caus characterist common compar comparison
        concept conclus consid contain contrast definit describ descript detail differ differenc disadvantag essenti
        exampl explain explan factor featur find follow function general give given goal help import includ inform
        introduct item kind key know learn limit list look main mean mention method name need notabl note number option
        order overview part particular passag point problem process properti provid purpos question reason relev requir
        result role say sever show similar solut stage state step summar summari task term text thing tip topic type
        understand unit use valu variou way work""",
    )
)
"""Stems of which a heading, the head of a table or an introduction may be made, and claim nothing."""
TELLING = frozenset(
    ["advantag", "benefit", "caus", "disadvantag", "goal", "option", "problem", "reason", "requir", "solut"]
)
"""Of these the ones that say of what stands under them more than that it stands there."""
VERBS = frozenset(
    re.findall(
        r"\w+",
        """am are be can could did do does had has have is may might must need needs shall should was were will would
        get gets give gives go goes keep keeps make makes pay pays take takes use uses want wants""",
    )
)
"""Of which none is in the name of something."""
LONGEST_NAME = 3
"""Stems."""


class Labels:
    """Of one turn."""

    def __init__(self, judge: Judge, question: str, passages: ShownPassages) -> None:
        self._judge = judge
        self._question = question
        self._passages = passages

    def is_label(self, segment: Segment) -> bool:
        """It claims nothing: of no other words than those that were asked, that announce, or that headings have.

        A table's head, and a name such as "Team plan", may be of the passages' words, too.
        """
        return self.has_all_of(segment) and not any(problems(segment.body, self._passages.all()))

    def has_all_of(self, segment: Segment) -> bool:
        """Of its words."""
        if segment.kind != "table_head" and is_limited(segment.body):
            return False
        said = self._judge.evidence(segment.body, ())
        known = LABEL.union(
            self._judge.evidence(self._question, ()).stems, *(one.heading_stems for one in self._passages.all())
        )
        if segment.kind == "table_head" or self._is_name(said):
            known = known | self._passages.stems()
        return all(stem in known or stem.isdigit() for stem in said.stems)

    def _is_name(self, said: Evidence) -> bool:
        return len(said.stems) <= LONGEST_NAME and said.words.isdisjoint(VERBS)

    def named(self, labels: Sequence[str], body: str) -> list[str]:
        """What the labels name, if the passages do, without the words that any label may have; whole, if they limit."""
        known = self._passages.stems() - self._judge.evidence(body, ()).stems
        named = [label if is_limited(label) else self._name(label) for label in labels]
        return [
            name for name in named if is_limited(name) or not known.isdisjoint(self._judge.evidence(name, ()).stems)
        ]

    def _name(self, label: str) -> str:
        words = self._judge.evidence(label, ()).sequence
        telling = [one for one in words if one.stem and one.stem not in LABEL - TELLING and not one.stem.isdigit()]
        return " ".join(label[one.start : one.end] for one in telling)
