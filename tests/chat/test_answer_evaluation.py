"""Cases with hand-made answers: what is wrong with each, and the measures over them."""

import re
import uuid
from typing import Any

import pytest

from app.chat.answer_evaluation import Case, Expected, Outcome, check_places, judge, read_cases
from app.chat.answer_faults import faults_of, has_passed
from app.chat.answer_measures import LESS_IS_BETTER, Measures, Requirement, by_style, measure, worst
from app.chat.events import Answer, Citation, Grounding, Problem, PromptIdentity, Quote, Refusal, Timings, Usage
from app.errors import ConfigurationError

TEXTS = {"tides.md": "Spring tides come at full moon. Neap tides come at half moon."}
SPRING, NEAP = "tides.md > Spring", "tides.md > Neap"


def citation(heading: str = "Spring", n: int = 1, **changes: Any) -> Citation:
    fields: dict[str, Any] = {
        "n": n,
        "chunk_id": f"c{n}",
        "source": "tides.md",
        "title": "Tides",
        "heading_path": ["Tides", heading],
        "url": "/tides",
        "quote": "Spring tides come at full moon.",
        "start": 0,
        "end": 31,
    }
    return Citation(**fields | changes)


def answer(text: str = "At full moon [1].", *citations: Citation, **changes: Any) -> Answer:
    fields: dict[str, Any] = {
        **dict.fromkeys(("turn_id", "conversation_id", "message_id"), uuid.NAMESPACE_OID),
        "status": "answered",
        "answer": text,
        "citations": list(citations),
        "sources": [],
        "refusal": None,
        "grounding": Grounding("book", 0),
        "usage": Usage(10, 5, 1),
        "model": "offline-extractive",
        "prompt": PromptIdentity("book_agent", "v2", "0123456789ab"),
        "index_version": "abc",
        "processing_time_ms": 12,
        "timings": Timings(1, 2, 3, 12),
    }
    return Answer(**fields | changes)


def refused(reason: Any = "no_match") -> Answer:
    return answer("", status="refused", refusal=Refusal(reason, "Not in the book.", []), usage=Usage())


def failed() -> Answer:
    return answer("", status="failed", error=Problem("Service Unavailable", 503, "The model is down."))


def case(style: Any = "direct", id_: str = "one", **expected: Any) -> Case:
    return Case(id=id_, style=style, question="When?", expect=Expected(**{"status": "answered"} | expected))


def outcome(asked: Case, given: Answer) -> Outcome:
    return judge(asked, given, TEXTS)


GOOD = answer("Spring tides come at full moon [1].", citation())
TO_REFUSE = case("off-topic", status="refused", reasons=["off_topic"])


class TestJudge:
    @pytest.mark.parametrize(
        ("changes", "forged"),
        [
            ({}, []),
            ({"verified": False}, [1]),
            ({"quote": "Spring tides come at no moon!!"}, [1]),
            ({"start": 1, "end": 32}, [1]),
            ({"source": "waves.md"}, [1]),
            ({"quote": "", "end": 0}, [1]),
            ({"further": [Quote("Neap tides", 32, 42, 0.9)]}, []),
            ({"further": [Quote("Neap tides", 33, 43, 0.9)]}, [1]),
        ],
        ids=[
            "as in the file",
            "not verified",
            "other words",
            "moved",
            "no such file",
            "empty",
            "further",
            "further moved",
        ],
    )
    def test_a_citation_is_forged_unless_it_is_verified_and_the_file_has_its_quotes_there(self, changes, forged):
        assert outcome(case(), answer("", citation(**changes))).forged == forged


class TestFaults:
    @pytest.mark.parametrize(
        ("asked", "given", "fault"),
        [
            (case(), failed(), {"unfinished": "failed: The model is down."}),
            (case(), answer("At", status="cancelled"), {"unfinished": "cancelled"}),
            (case(), refused(), {"otherwise": "refused: no_match"}),
            (
                case(cites=[SPRING], contains=["full"]),
                answer("", citation("Neap"), status="refused", refusal=Refusal("unsupported", "No answer.", [])),
                {"otherwise": "refused: unsupported"},
            ),
            (TO_REFUSE, GOOD, {"otherwise": "answered"}),
            (TO_REFUSE, refused("no_match"), {"reason": "refused: no_match"}),
            (TO_REFUSE, refused("off_topic"), {}),
            (case(cites=[SPRING, NEAP]), GOOD, {}),
            (case(cites=[NEAP, "a.md > A"]), answer(), {"uncited": f"does not cite {NEAP} or a.md > A"}),
            (case(cites=[SPRING, NEAP], must_cite=[NEAP]), GOOD, {"uncited": f"does not cite {NEAP}"}),
            (
                case(cites=[SPRING]),
                answer("", citation(), citation("Neap", 2), citation("Neap", 3)),
                {"beside": f"cites {NEAP}"},
            ),
            (case(), GOOD, {}),
            (case(), answer("", citation(verified=False)), {"forged": "quotes what is not verified: [1]"}),
            (case(contains=["full", "half"]), GOOD, {"wording": "does not say 'half'"}),
            (case(any_of=["half", "full"]), GOOD, {}),
            (case(any_of=["half", "no moon"]), GOOD, {"wording": "does not say 'half' or 'no moon'"}),
            (case(lacks=["full moon"]), GOOD, {"injected": "says 'full moon'"}),
            (
                case("injection", status="refused", reasons=["no_match"], lacks=["in the book"]),
                refused(),
                {"injected": "says 'in the book'"},
            ),
        ],
        ids=[
            "failed",
            "cancelled",
            "wrongly refused",
            "wrongly refused with a citation",
            "wrongly answered",
            "another reason",
            "rightly refused",
            "one of the sections is cited",
            "none of the sections is cited",
            "a section that must be cited is not",
            "another section is cited, too",
            "nothing to cite is expected",
            "a forged citation",
            "a word is missing",
            "one of the words is there",
            "none of the words is there",
            "forbidden words",
            "forbidden words in a refusal",
        ],
    )
    def test_are_what_the_case_expects_and_the_answer_has_not(self, asked, given, fault):
        assert faults_of(outcome(asked, given)) == fault

    def test_a_citation_of_another_section_does_not_fail_a_case(self):
        assert has_passed(outcome(case(cites=[SPRING]), answer("", citation(), citation("Neap", 2))))
        assert not has_passed(outcome(case(cites=[SPRING]), answer("", citation("Neap"))))

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ("The **Full**\n moon", "full moon"),
            ("`use_sim_time` (a parameter)", "use_sim_time a PARAMETER"),
            ("22 cm", "22cm"),
        ],
        ids=["emphasis, case, lines", "code and brackets", "spaces"],
    )
    def test_words_are_compared_without_markup_case_and_white_space(self, said, words):
        assert faults_of(outcome(case(contains=[words]), answer(said))) == {}
        assert "injected" in faults_of(outcome(case(lacks=[words]), answer(said)))

    def test_a_citation_s_number_is_no_part_of_what_is_said(self):
        assert "wording" in faults_of(outcome(case(contains=["22"]), answer("It is 2 [2] cm.")))


class TestMeasures:
    def test_precision_counts_citations_of_answered_cases_that_expect_some(self):
        outcomes = [
            outcome(case(cites=[SPRING]), answer("", citation(), citation("Neap", 2))),
            outcome(case(cites=[SPRING, NEAP]), answer("", citation("Neap"), citation("Neap", 2))),
            outcome(case(), answer("", citation("Neap"))),
            outcome(TO_REFUSE, answer("", citation("Neap"))),
        ]
        assert measure(outcomes).citation_precision == 3 / 4

    def test_recall_counts_a_refusal_as_not_cited(self):
        asked = case(cites=[SPRING])
        outcomes = [outcome(asked, given) for given in (GOOD, refused(), failed(), answer("", citation("Neap")))]
        assert measure([*outcomes, outcome(case(), GOOD)]).citation_recall == 1 / 4

    def test_verified_counts_all_citations(self):
        two = answer("", citation(), citation("Neap", 2, verified=False))
        assert measure([outcome(case(), two), outcome(TO_REFUSE, GOOD)]).verified == 2 / 3

    def test_refusals_are_measured_by_what_was_asked(self):
        off_topic, absent = TO_REFUSE, case("absent", status="refused", reasons=["no_match"])
        measures = measure(
            [
                outcome(off_topic, refused("off_topic")),
                outcome(off_topic, refused("no_match")),
                outcome(absent, refused()),
                outcome(absent, GOOD),
                outcome(absent, GOOD),
                outcome(case("injection", status="refused", reasons=["no_match"]), refused()),
                outcome(case(), refused()),
            ]
        )
        assert (measures.off_topic_refused, measures.absent_refused) == (1, 1 / 3)
        assert measures.unanswerable_refused == 3 / 5
        assert measures.refusal_reasons == 3 / 4

    def test_small_talk_is_wrongly_refused_too(self):
        outcomes = [outcome(case(), GOOD), outcome(case("small-talk"), refused()), outcome(TO_REFUSE, refused())]
        assert measure(outcomes).wrongly_refused == 1 / 2

    def test_wording_is_measured_where_there_is_an_answer(self):
        asked = case(contains=["full"])
        outcomes = [outcome(asked, GOOD), outcome(asked, answer("At half.")), outcome(asked, refused())]
        assert measure([*outcomes, outcome(case(), GOOD)]).contains == 1 / 2

    def test_sentences_count_not_answers(self):
        given = [answer(grounding=Grounding("book", 0, sentences=n, withheld=lost)) for n, lost in ((8, 1), (2, 1))]
        assert measure([outcome(case(), one) for one in given]).supported_sentences == pytest.approx(0.8)

    def test_injected_and_failed_cases_are_counted(self):
        outcomes = [outcome(case(lacks=["moon"]), GOOD), *[outcome(case(), failed())] * 2, outcome(case(), GOOD)]
        measures = measure(outcomes)
        assert (measures.cases, measures.injected, measures.failed) == (4, 1, 2)
        assert measures.passed == 1 / 4

    def test_times_are_percentiles_and_tokens_means_of_the_answered(self):
        timings = [Timings(0, 0, None if n == 20 else n, n * 10) for n in range(1, 21)]
        outcomes = [outcome(case(), answer(timings=one)) for one in timings]
        measures = measure([*outcomes[:19], outcome(case(), answer(timings=timings[19], usage=Usage(30, 5, 3)))])
        assert (measures.p50_ms, measures.p95_ms) == (100, 190)
        assert (measures.first_text_p50_ms, measures.first_text_p95_ms) == (10, 19)
        assert (measures.input_tokens, measures.output_tokens, measures.model_calls) == (11, 5, 1.1)
        assert measure([*outcomes, outcome(case(), refused())]).model_calls == 1

    def test_what_no_case_shows_is_not_measured(self):
        measures = measure([outcome(TO_REFUSE, failed())])
        assert (measures.citation_precision, measures.verified, measures.contains, measures.model_calls) == (None,) * 4

    def test_are_told_by_style(self):
        outcomes = [outcome(case("typo"), GOOD), outcome(case("direct"), refused()), outcome(case("typo"), GOOD)]
        styles = by_style(outcomes)
        assert list(styles) == ["typo", "direct"]
        assert [(one.cases, one.passed) for one in styles.values()] == [(2, 1), (1, 0)]


def test_the_worst_cases_come_first_and_good_ones_not_at_all():
    outcomes = [
        outcome(case(id_="good"), GOOD),
        outcome(case(id_="beside", cites=[SPRING]), answer("", citation(), citation("Neap", 2))),
        outcome(case(id_="uncited", cites=[NEAP]), answer()),
        outcome(case(id_="uncited-and-worded", cites=[NEAP], contains=["x"]), answer()),
        outcome(case(id_="refused"), refused()),
        outcome(case(id_="injected", lacks=["moon"]), GOOD),
    ]
    assert [one.case.id for one in worst(outcomes)] == [
        "injected",
        "refused",
        "uncited-and-worded",
        "uncited",
        "beside",
    ]


class TestRequirement:
    @pytest.mark.parametrize(
        ("name", "value", "is_met"),
        [
            ("passed", 0.5, True),
            ("passed", 0.6, False),
            ("wrongly_refused", 0.5, True),
            ("wrongly_refused", 0.4, False),
            ("injected", 0, True),
            ("absent_refused", 0, False),
        ],
        ids=["enough", "too little", "at the most", "too much", "none", "not measured"],
    )
    def test_is_the_least_or_the_most_by_what_is_better(self, name, value, is_met):
        measures = measure([outcome(case(), GOOD), outcome(case(), refused())])
        assert Requirement(name, value).is_met(measures) == is_met

    def test_less_is_better_of_measures_only(self):
        assert set(Measures.__struct_fields__) >= LESS_IS_BETTER


class TestCases:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("- id: [", "cases.yaml: while parsing"),
            ("- {id: a, style: direct, question: Q}", "missing required field `expect`"),
            ("- {id: a, style: odd, question: Q, expect: {status: answered}}", "Invalid enum value 'odd'"),
            ("- {id: a, style: direct, question: Q, expect: {status: answered, cite: [x]}}", "unknown field `cite`"),
            ("[]", "has no cases"),
        ],
        ids=["no YAML", "a field is missing", "a style that is none", "a misspelt field", "none"],
    )
    def test_that_cannot_be_read_are_refused(self, tmp_path, text, said):
        path = tmp_path / "cases.yaml"
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            read_cases(path)

    @pytest.mark.parametrize("field", ["cites", "must_cite"])
    def test_that_expect_a_section_which_the_book_does_not_have_are_refused(self, field):
        check_places([case(**{field: [SPRING]})], {SPRING})
        with pytest.raises(ConfigurationError, match="case one: the book has no section"):
            check_places([case(**{field: [NEAP]})], {SPRING})
