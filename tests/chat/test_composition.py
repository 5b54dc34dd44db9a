"""What of the model's text leaves, when, with which citations, and when it is an answer at all."""

from collections.abc import Callable, Sequence

import pytest

from app.chat.composition import Composition, WithheldSentence
from app.chat.events import (
    AnswerDelta,
    CitationFound,
    Event,
    Search,
    SentenceFlagged,
    SentenceWithheld,
    ToolFinished,
    ToolStarted,
)
from app.settings import GroundingMode
from tests.fakes.examiner import Believing, ScriptedExaminer
from tests.fakes.sources import exchange, passage, turn_context
from tools.context import ToolCall, TurnContext

SPRING = passage("Spring tides come at full moon.", "Tides > Spring tides", url="/tides#spring")
SPRING_AGAIN = passage("They are larger.", "Tides > Spring tides", url="/tides#spring")
NEAP = passage("Neap tides come seven days later.", "Tides > Neap tides")
GAUGE = passage("A tide gauge records the height.", "Measuring", source="measuring.md")
SHOWN = [SPRING, NEAP, SPRING_AGAIN, GAUGE]

Compose = Callable[..., Composition]


def searched(shown: Sequence[object] = SHOWN) -> TurnContext:
    """The context of a turn in which the book was searched."""
    context = turn_context()
    for each in shown:
        context.number(each)
    context.calls["call-1"] = ToolCall("search_book", len(shown), 0.1, "tides", 0.8, 0.7)
    return context


def composition_of(mode: GroundingMode = "strict", context: TurnContext | None = None) -> Composition:
    examiner = Believing() if mode == "off" else ScriptedExaminer()
    return Composition(searched() if context is None else context, examiner, mode)


async def composed(*texts: str, mode: GroundingMode = "strict", context: TurnContext | None = None) -> Composition:
    composition = composition_of(mode, context)
    for text in texts:
        await composition.add(text)
    await composition.finish()
    return composition


async def events_of(*texts: str, mode: GroundingMode = "strict") -> list[Event]:
    composition = composition_of(mode)
    events = [event for text in texts for event in await composition.add(text)]
    return events + await composition.finish()


def deltas(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, AnswerDelta)]


def cited(events: Sequence[Event]) -> list[tuple[int, str]]:
    return [(event.n, event.attributed_by) for event in events if isinstance(event, CitationFound)]


@pytest.fixture
def composition() -> Composition:
    return composition_of()


class TestStrict:
    async def test_a_sentence_leaves_when_the_next_begins(self, composition):
        assert await composition.add("Tides rise [1]. ") == []
        assert deltas(await composition.add("T")) == ["Tides rise [1]."]

    async def test_what_is_not_supported_is_withheld_and_the_answer_goes_on(self):
        events = await events_of("Tides rise [1]. Wrong [2]. Tides fall [2].")
        assert deltas(events) == ["Tides rise [1].", " Tides fall [2]."]

    async def test_nothing_invisible_is_told(self):
        assert (await composed("Ti\u200bdes\0 ri", "\U000e0041se [1\u200b]\u202e.")).text == "Tides rise [1]."

    async def test_an_answer_alone_is_left_out_and_does_not_count(self):
        composition = await composed("Yes [1]. Tides rise [1].\n\nIt depends.")
        assert composition.text == "Tides rise [1]."
        assert (composition.grounding().sentences, composition.refusal()) == (1, None)

    async def test_an_event_names_the_sentence_and_why_but_not_what_it_said(self):
        events = await events_of("Sure. Tides rise [1]. Wrong [2]. False [2].")
        assert [event for event in events if isinstance(event, SentenceWithheld)] == [
            SentenceWithheld(2, "unsupported"),
            SentenceWithheld(3, "fact"),
        ]

    async def test_the_record_keeps_what_it_said(self):
        composition = await composed("Tides rise [1]. It is wrong [2].")
        assert composition.withheld == [WithheldSentence(2, "unsupported", "It is wrong.")]

    async def test_withheld_numbers_cite_nothing(self):
        composition = await composed("Tides rise [1]. Wrong [2].")
        assert [citation.n for citation in composition.citations] == [1]

    async def test_sentences_are_counted(self):
        grounding = (await composed("Sure. A [1]. Wrong [2]. B elsewhere [2]. C [1].")).grounding()
        assert (grounding.sentences, grounding.withheld, grounding.disagreements) == (4, 1, 1)
        assert (grounding.mode, grounding.basis) == ("strict", "book")

    async def test_a_sentence_without_a_number_gets_the_one_that_supports_it(self):
        events = await events_of("Tides rise.")
        assert (deltas(events), cited(events)) == (["Tides rise [1]."], [(1, "code")])

    async def test_a_wrong_number_gives_way_to_the_right_one(self):
        events = await events_of("Tides rise elsewhere [2].")
        assert (deltas(events), cited(events)) == (["Tides rise elsewhere [3]."], [(3, "code")])

    async def test_the_examiner_knows_what_the_paragraph_cites(self):
        examiner = ScriptedExaminer()
        composition = Composition(searched(), examiner, "strict")
        await composition.add("One [1]. Two [2]. Wrong [4]. Three. Four.\n\nFive [2].\n\nWrong. Six.")
        await composition.finish()
        before = [numbers for _, numbers in examiner.examined]
        assert before == [[], [1], [1, 2], [1, 2], [1, 2], [], [], []]

    async def test_the_first_sentence_does_not_lean_on_what_was_withheld(self):
        composition = await composed("Wrong. However, tides rise [1]. However, they fall [2].")
        assert composition.text == "Tides rise [1]. However, they fall [2]."

    async def test_it_may_begin_with_the_book_s_own_pronoun_but_not_after_a_hole(self):
        assert (await composed("They are larger [3].")).text == "They are larger [3]."
        assert (await composed("Wrong. They are larger [3].")).text == ""

    async def test_a_later_one_does_not_lean_on_a_hole(self):
        assert (await composed("A [1]. Wrong. Therefore, B [1].")).text == "A [1]. B [1]."

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            pytest.param("Sure! Here is it. Tides rise [1].", "Sure! Here is it [1]. Tides rise [1].", id="said"),
            pytest.param("Sure!\n\nTides rise [1].", "Sure!\n\nTides rise [1].", id="with an answer"),
            pytest.param("Sure!\n\nWrong.", "", id="with none"),
            pytest.param("Tides rise [1]. Sure.", "Tides rise [1]. Sure.", id="after it"),
        ],
    )
    async def test_a_courtesy_needs_an_answer(self, text, told):
        assert (await composed(text)).text == told

    async def test_what_is_of_the_conversation_needs_no_number(self):
        composition = await composed("Recalled.")
        assert (composition.text, composition.grounding().basis) == ("Recalled.", "conversation")
        assert composition.refusal() is None


class TestFlag:
    async def test_everything_flows_and_a_verdict_follows_its_sentence(self):
        events = await events_of("Tides rise [1]. Wrong. They fall [1].", mode="flag")
        assert events[1:] == [
            AnswerDelta("Tides rise [1]."),
            AnswerDelta(" Wrong."),
            SentenceFlagged(2, "unsupported"),
            AnswerDelta(" They fall [1]."),
        ]

    async def test_what_comes_before_the_first_supported_sentence_waits_for_it(self, composition):
        composition = composition_of("flag")
        assert await composition.add("Wrong. Tides rise [1]. ") == []
        events = await composition.add("T")
        assert events[:2] == [AnswerDelta("Wrong."), SentenceFlagged(1, "unsupported")]
        assert deltas(events) == ["Wrong.", " Tides rise [1]."]

    async def test_a_number_that_does_not_support_its_sentence_is_not_verified(self):
        composition = await composed("A [1]. Wrong [2].", mode="flag")
        assert composition.text == "A [1]. Wrong [2]."
        assert [(one.n, one.verified) for one in composition.citations] == [(1, True), (2, False)]

    async def test_a_wrong_number_gives_way_to_the_right_one(self):
        assert (await composed("Tides rise elsewhere [2].", mode="flag")).text == "Tides rise elsewhere [3]."

    async def test_nothing_is_lost_and_no_words_are_changed(self):
        composition = await composed("Wrong. A [1]. Wrong. Wrong. However, B [1].\n\n1. Wrong\n2. C [1]", mode="flag")
        assert composition.text == "Wrong. A [1]. Wrong. Wrong. However, B [1].\n\n1. Wrong\n2. C [1]"
        assert composition.refusal() is None
        assert composition.grounding().withheld == 4

    async def test_without_a_supported_sentence_it_is_a_refusal(self):
        composition = await composed("Wrong [1]. Wrong.", mode="flag")
        assert (composition.text, composition.refusal().reason) == ("", "unsupported")

    async def test_what_is_of_the_conversation_needs_no_number(self):
        assert (await composed("Recalled.", mode="flag")).text == "Recalled."


class TestOff:
    async def test_numbers_that_were_shown_are_believed(self):
        composition = await composed("Wrong [2]. And false. So [1].", mode="off")
        assert composition.text == "Wrong [2]. And false. So [1]."
        assert [(one.n, one.support, one.verified) for one in composition.citations] == [
            (2, None, True),
            (1, None, True),
        ]

    async def test_what_comes_before_the_first_number_waits_for_it(self):
        composition = composition_of("off")
        assert await composition.add("Tides. They rise") == []
        assert deltas(await composition.add(" [1]. T")) == ["Tides.", " They rise [1]."]

    async def test_without_a_number_it_is_a_refusal(self):
        composition = await composed("Tides rise.", mode="off")
        assert (composition.text, composition.refusal().reason) == ("", "unsupported")

    async def test_a_number_below_code_is_enough(self):
        assert (await composed("```\nx\n```\n[1]", mode="off")).text == "```\nx\n```\n[1]"

    async def test_what_was_looked_up_of_the_conversation_needs_no_number(self):
        context = turn_context()
        context.recalled.append(exchange("Why?", "The Moon."))
        context.calls["call-1"] = ToolCall("lookup_history", 1, 0.1)
        composition = await composed("You asked why.", mode="off", context=context)
        assert (composition.text, composition.grounding().basis) == ("You asked why.", "conversation")


@pytest.mark.parametrize("mode", ["strict", "flag", "off"])
class TestEveryMode:
    async def test_the_deltas_make_up_the_text(self, mode):
        composition = composition_of(mode)
        events = [
            event for text in ["  Tides ", "rise [", "1]. They", " fall. "] for event in await composition.add(text)
        ]
        assert "".join(deltas(events + await composition.finish())) == composition.text
        assert composition.text.startswith("Tides rise [1]. They fall")

    @pytest.mark.parametrize("n", [0, 5, 99])
    async def test_a_number_that_was_never_shown_never_leaves(self, mode, n):
        composition = await composed(f"Spring tides [{n}], and neap tides [2].", mode=mode)
        assert composition.text == "Spring tides, and neap tides [2]."
        assert [citation.n for citation in composition.citations] == [2]
        assert composition.grounding().dropped_citations == 1

    async def test_a_passage_of_a_later_search_can_be_cited(self, mode):
        composition = composition_of(mode, context := searched([SPRING]))
        context.number(GAUGE)
        await composition.add("A gauge records [2].")
        await composition.finish()
        assert [citation.chunk_id for citation in composition.citations] == [GAUGE.chunk_id]

    async def test_a_citation_comes_before_the_text_that_holds_it(self, mode):
        first, second = await events_of("Spring tides [1].", mode=mode)
        assert (first.n, second) == (1, AnswerDelta("Spring tides [1]."))

    @pytest.mark.parametrize("bad", ["http://evil.example/x", "<img src=x>", "[x](javascript:a(1)) and evil.com"])
    async def test_a_sentence_with_an_address_is_withheld(self, mode, bad):
        events = await events_of(f"Tides rise [1]. See {bad} now [1]. Tides fall [1].", mode=mode)
        assert deltas(events) == ["Tides rise [1].", " Tides fall [1]."]
        assert SentenceWithheld(2, "link") in events

    async def test_a_link_to_elsewhere_leaves_its_text_and_an_image_nothing(self, mode):
        text = "Tides [rise](http://evil.example)![x](http://evil.example/y.png) [1]."
        assert (await composed(text, mode=mode)).text == "Tides rise [1]."

    async def test_that_there_is_no_answer_is_never_told(self, mode):
        assert (await composed("Tides rise [1].\n\nNO_ANSWER", mode=mode)).text == "Tides rise [1]."

    async def test_thinking_aloud_before_a_tool_call_is_dropped(self, mode):
        composition = composition_of(mode)
        await composition.add("Wrong. `")
        event = ToolStarted("search_book", "call-1")
        assert composition.note(event) is event
        await composition.add("Tides rise [1].")
        await composition.finish()
        assert composition.text == "Tides rise [1]."


class TestToolCalls:
    async def test_the_end_of_one_drops_nothing(self, composition):
        await composition.add("Tides rise ")
        composition.note(ToolFinished("search_book", "call-1", 1, 2))
        await composition.add("[1]")
        await composition.finish()
        assert composition.text == "Tides rise [1]"

    async def test_what_was_told_before_stays_and_a_paragraph_begins(self, composition):
        await composition.add("Tides rise [1]. B")
        composition.note(ToolStarted("search_book", "call-1"))
        await composition.add("However, tides fall [2].")
        await composition.finish()
        assert composition.text == "Tides rise [1].\n\nTides fall [2]."

    async def test_one_at_the_end_leaves_no_blank_lines(self, composition):
        await composition.add("Tides rise [1]. T")
        composition.note(ToolStarted("search_book", "call-1"))
        await composition.finish()
        assert composition.text == "Tides rise [1]."

    async def test_what_was_withheld_before_does_not_make_it_a_refusal(self, composition):
        await composition.add("I was wrong. Wrong again. W")
        composition.note(ToolStarted("search_book", "call-1"))
        await composition.add("Tides rise [1].")
        await composition.finish()
        assert composition.refusal() is None

    async def test_thinking_aloud_alone_is_an_empty_answer(self, composition):
        await composition.add("Wrong. L")
        composition.note(ToolStarted("search_book", "call-1"))
        await composition.finish()
        assert composition.refusal().reason == "empty_answer"


class TestRefusals:
    @pytest.mark.parametrize(
        ("texts", "reason"),
        [
            pytest.param(["NO_ANSWER"], "no_match", id="the model says so"),
            pytest.param(["\n**NO_AN", "SWER**.\n"], "no_match", id="in pieces, with marks"),
            pytest.param(["NO_ANSWER [1]"], "no_match", id="and cites"),
            pytest.param(["The book does not say sure."], "no_match", id="in words"),
            pytest.param(["The book does not say sure. Wrong."], "no_match", id="in words, and more"),
            pytest.param(["Sure. Wrong [1]."], "unsupported", id="not supported"),
            pytest.param(["# Sure\n\nSo:\n"], "unsupported", id="only structure"),
            pytest.param([""], "empty_answer", id="no text"),
            pytest.param([" \n"], "empty_answer", id="blanks"),
            pytest.param(["[9]"], "empty_answer", id="only an unknown number"),
        ],
    )
    async def test_one_has_a_reason_and_no_text(self, texts, reason):
        composition = await composed(*texts)
        assert composition.refusal().reason == reason
        assert (composition.text, composition.citations, composition.sources()) == ("", [], [])
        assert composition.grounding().basis == "none"

    async def test_what_was_not_searched_cannot_be_said(self):
        assert (await composed("Wrong.", context=turn_context())).refusal().reason == "search_failed"

    @pytest.mark.parametrize(
        ("text", "is_refused"),
        [("A [1]. Wrong.", False), ("A [1]. Wrong. False.", True), ("A [1]. Sure. Wrong.", False)],
        ids=["a half", "more than a half", "courtesies don't count"],
    )
    async def test_an_answer_that_loses_more_than_half_is_one_that_keeps_what_was_told(self, text, is_refused):
        composition = await composed(text)
        refusal = composition.refusal()
        assert (refusal.reason if refusal else None) == ("unsupported" if is_refused else None)
        assert composition.text.startswith("A [1].")

    async def test_one_names_at_most_three_sections_nearest_first(self):
        nearest = (await composed("NO_ANSWER")).refusal().nearest
        assert [section.heading_path[-1] for section in nearest] == ["Spring tides", "Neap tides", "Measuring"]


async def test_the_sources_are_the_sections_cited_each_once():
    composition = await composed("Larger [3]. Later [2]. At full moon [1]. A gauge [4].")
    assert [(section.source, section.heading_path, section.url) for section in composition.sources()] == [
        ("tides.md", ["Tides", "Spring tides"], "/tides#spring"),
        ("tides.md", ["Tides", "Neap tides"], ""),
        ("measuring.md", ["Measuring"], ""),
    ]


async def test_the_grounding_tells_of_the_searches():
    grounding = (await composed("Tides rise [1].")).grounding()
    assert (grounding.evidence, grounding.searches) == (0.8, [Search("tides", "model", 4, 0.8)])


async def test_what_is_not_the_model_s_is_told_as_it_is(composition):
    assert composition.say("Hello!") == AnswerDelta("Hello!")
    assert (composition.text, composition.refusal(), composition.citations) == ("Hello!", None, [])


class TestCut:
    @pytest.mark.parametrize("mode", ["strict", "flag", "off"])
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("Tides rise [1]. They fall [2", "Tides rise [1]."),
            ("Tides rise [1]. They fall wi", "Tides rise [1]."),
            ("Tides rise [1]. They fall [2].", "Tides rise [1]. They fall [2]."),
            ("Tides rise [1]. They fall by 3.", "Tides rise [1]."),
            ("Tides rise [1].\n\n- They fall [2].\n- They", "Tides rise [1].\n\n- They fall [2]."),
            ("Tides rise [1].\n\n| a | b |\n| --- | --- |\n| They fall [2]", "Tides rise [1]."),
            ("Tides rise [1].\n\n```\nfall(", "Tides rise [1]."),
            ("Tides rise [1].\n\n## They fa", "Tides rise [1]."),
            ("Tides rise [1].", "Tides rise [1]."),
            ("Tides ri", ""),
        ],
        ids=[
            "a citation",
            "a word",
            "nothing",
            "a number",
            "an item",
            "a row",
            "code",
            "a heading",
            "one",
            "the first",
        ],
    )
    async def test_the_sentence_in_which_a_model_was_stopped_is_left_out(self, mode, text, told):
        composition = composition_of(mode)
        await composition.add(text)
        await composition.finish("length")
        assert composition.text == told
        assert composition.grounding().cut == "length"

    async def test_what_is_longer_than_a_turn_may_be_is_cut_like_a_models_reply(self, monkeypatch):
        monkeypatch.setattr("app.chat.composition.LONGEST", 30)
        composition = await composed("Tides rise [1]. ", "Neap tides follow [2]. ", "And so on [1].")
        assert composition.text == "Tides rise [1]."
        assert composition.grounding().cut == "length"

    async def test_an_answer_as_long_as_a_turn_may_be_is_whole(self, monkeypatch):
        monkeypatch.setattr("app.chat.composition.LONGEST", len("Tides rise [1]."))
        assert (await composed("Tides rise [1].")).grounding().cut is None

    async def test_an_answer_of_which_nothing_is_whole_is_none(self):
        composition = composition_of()
        await composition.add("Tides ri")
        await composition.finish("content_filter")
        assert composition.refusal().reason == "empty_answer"

    async def test_a_whole_answer_says_nothing_of_it(self):
        assert (await composed("Tides rise [1].")).grounding().cut is None
