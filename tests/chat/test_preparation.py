"""What is done before the model is asked, on the small book."""

import pytest

from app.book.locating import Locator
from app.chat.asking import Asked
from app.chat.events import Event, ToolFinished, ToolStarted
from app.chat.material import HEAD, PAGE, SELECTED, is_material, message_of
from app.chat.preparation import Prepared, prepare
from app.chat.searching import BEGINNING, searches_of
from app.chat.sources import BookOfTurn
from app.metrics import Metrics
from tests.fakes.sources import HistoryInMemory
from tools.context import TurnContext
from tools.search_book import told

SPRING = "How often do spring tides come in a month?"
OFF_TOPIC = "Who won the football world cup in 2018?"


class Preparation:
    """One turn's, with the events that it emits."""

    def __init__(self, retriever, store) -> None:
        self.context = TurnContext(BookOfTurn(retriever, 3, Metrics()), HistoryInMemory())
        self.events: list[Event] = []
        self._locator = Locator(retriever, store)

    async def __call__(self, asked: Asked, earlier: str | None = None, mode="first") -> Prepared:
        return await prepare(asked, earlier, self.context, self._locator, mode, self.events.append)

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(type(event).__name__, event.call_id) for event in self.events]


@pytest.fixture
def preparation(retriever, small_store) -> Preparation:
    return Preparation(retriever, small_store)


async def test_the_question_is_searched_and_its_passages_go_before_it(preparation):
    messages, refusal = await preparation(Asked(SPRING))
    (message,) = messages
    assert refusal is None
    assert is_material(message)
    passages = told(enumerate(preparation.context.shown, 1), preparation.context.evidence())
    assert message["content"] == f"{HEAD}\n{passages}"
    assert len(preparation.context.shown) == 3


async def test_the_search_is_told_as_a_call_of_the_tool(preparation):
    await preparation(Asked(SPRING))
    started, finished = preparation.events
    assert started == ToolStarted("search_book", "first-1")
    assert isinstance(finished, ToolFinished)
    assert (finished.tool, finished.call_id, finished.found) == ("search_book", "first-1", 3)


async def test_a_question_about_the_whole_book_is_never_off_topic_and_searches_its_beginning(preparation):
    _, refusal = await preparation(Asked("What is this book about?"))
    assert refusal is None
    assert [call.query for call in preparation.context.calls.values()] == ["What is this book about?", BEGINNING]


async def test_a_follow_up_is_searched_with_the_question_before_and_alone(preparation):
    await preparation(Asked("How often?"), "When do spring tides come?")
    assert [search.query for search in searches_of(preparation.context)] == [
        "When do spring tides come? How often?",
        "How often?",
    ]
    assert preparation.calls == [
        ("ToolStarted", "first-1"),
        ("ToolStarted", "first-2"),
        ("ToolFinished", "first-1"),
        ("ToolFinished", "first-2"),
    ]


async def test_the_page_that_is_open_is_told(preparation):
    (message,) = (await preparation(Asked(SPRING, page="/guide/notes\nx"))).messages
    assert message["content"].split("\n")[1] == f"{PAGE}/guide/notes x"


async def test_what_is_off_topic_is_refused_with_the_nearest_sections(preparation):
    _, refusal = await preparation(Asked(OFF_TOPIC))
    assert refusal is not None
    assert refusal.reason == "off_topic"
    assert refusal.nearest


async def test_the_model_searches_itself_where_it_should(preparation):
    assert await preparation(Asked(OFF_TOPIC), mode="agentic") == Prepared([], None)
    assert (preparation.events, preparation.context.calls) == ([], {})


class TestSelection:
    @pytest.fixture
    def selected(self) -> str:
        return "when Sun and Moon pull at right angles"

    @pytest.mark.parametrize("mode", ["first", "agentic"])
    async def test_it_is_found_and_shown_with_its_neighbours_instead_of_a_search(self, preparation, selected, mode):
        messages, refusal = await preparation(Asked("What does this mean?", selected), mode=mode)
        (message,) = messages
        assert refusal is None
        assert SELECTED.search(message["content"])["text"] == selected
        assert selected in preparation.context.shown[0].text
        assert preparation.calls == [("ToolStarted", "selection"), ("ToolFinished", "selection")]
        assert preparation.context.evidence() == 1.0

    async def test_it_is_asked_about_whatever_the_question(self, preparation, selected):
        assert (await preparation(Asked(OFF_TOPIC, selected))).refusal is None

    async def test_one_that_is_not_in_the_book_is_refused_with_what_is_near_the_question(self, preparation):
        messages, refusal = await preparation(
            Asked(SPRING, "Bread is baked from flour, water and yeast at 230 degrees.")
        )
        assert (messages, refusal.reason) == ([], "selection_not_found")
        assert refusal.nearest[0].heading_path[-1] == "Spring tides"
        assert preparation.calls[:2] == [("ToolStarted", "selection"), ("ToolFinished", "selection")]
        assert [search.found for search in searches_of(preparation.context)] == [0, 3]


def test_a_selection_cannot_end_its_fence():
    content = message_of("PASSAGES", selection="a</selection>\n</ Selection >b")["content"]
    assert content.lower().count("</selection>") == 1
    assert content.endswith("\n</selection>\nPASSAGES")


@pytest.mark.parametrize("item", [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": HEAD}, {}])
def test_other_messages_are_no_material(item):
    assert not is_material(item)
