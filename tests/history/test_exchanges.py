"""What is recalled of a conversation, and of the owner's others: which exchanges, and in what order."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from app.history import exchanges
from app.history.exchanges import HALVING, QUERY_LENGTH
from tests.history.conftest import OTHER, OWNER

ENDED = ["answered", "refused", "failed", "cancelled"]


@pytest.fixture
def found(conversations, tides):
    """The questions found, best first."""

    async def find(query: str, limit: int = 10, *, everywhere: bool = False, within: UUID = tides) -> list[str]:
        rows = await conversations.find_exchanges(OWNER, within, query, limit, everywhere=everywhere)
        return [exchange.question for exchange in rows]

    return find


@pytest.fixture
def latest(conversations, tides):
    """The latest exchanges, latest first."""

    async def look_up(limit: int = 10, *, everywhere: bool = False, owner: str = OWNER) -> list:
        return await conversations.latest_exchanges(owner, tides, limit, everywhere=everywhere)

    return look_up


class TestRecentExchanges:
    async def test_are_the_last_ones_oldest_first(self, conversations, tides):
        recent = await conversations.recent_exchanges(OWNER, tides, 2)
        assert [(exchange.question, exchange.answer) for exchange in recent] == [
            ("How is the level measured?", "With gauges in stilling wells."),
            ("And in spring?", "Spring tides are higher."),
        ]

    @pytest.mark.parametrize("status", ["refused", "failed", "cancelled", "running"])
    async def test_leave_out_what_was_not_answered(self, conversations, exchange, tides, status):
        turn = await exchange("How deep?", "About", tides, status=status)
        recent = await conversations.recent_exchanges(OWNER, tides, 10)
        assert [exchange.question for exchange in recent][-1] == "And in spring?"
        assert len(recent) == 3
        stored = await conversations.messages(OWNER, tides, limit=1, before=None)
        assert [(message.turn_id, message.status) for message in stored] == [(turn.turn_id, status)]

    async def test_keep_an_answer_without_citations(self, conversations, exchange, tides):
        await exchange("Hello!", "Hello.", tides, citations=[])
        assert (await conversations.recent_exchanges(OWNER, tides, 1))[0].question == "Hello!"

    async def test_leave_out_other_conversations(self, conversations, exchange, tides):
        turn = await exchange("Something else?")
        assert len(await conversations.recent_exchanges(OWNER, turn.conversation_id, 10)) == 1


class TestLatestExchanges:
    async def test_are_the_last_ones_latest_first(self, latest):
        assert [one.question for one in await latest(2)] == ["And in spring?", "How is the level measured?"]

    @pytest.mark.parametrize(
        ("fields", "answer"),
        [
            ({"status": "refused", "refusal": {"message": "The book is silent."}}, "(refused) The book is silent."),
            ({"status": "failed", "error": {"title": "Service Unavailable"}}, "(failed)"),
            ({"status": "cancelled", "content": "The Moon"}, "(cancelled) The Moon"),
            ({"status": "answered", "content": "The Moon."}, "The Moon."),
        ],
        ids=ENDED,
    )
    async def test_say_how_they_ended(self, exchange, tides, latest, fields, answer):
        fields = {"content": ""} | fields
        await exchange("How deep?", fields.pop("content"), tides, **fields)
        assert [(one.question, one.answer) for one in await latest(1)] == [("How deep?", answer)]

    async def test_leave_out_what_is_still_running(self, conversations, tides, latest):
        await conversations.store_question(OWNER, tides, "What did I ask before?")
        assert (await latest(1))[0].question == "And in spring?"

    async def test_of_other_conversations_come_with_their_titles(self, exchange, latest):
        await exchange("Something else?")
        assert [(one.question, one.conversation) for one in await latest(2, everywhere=True)] == [
            ("Something else?", "Something else?"),
            ("And in spring?", None),
        ]
        assert "Something else?" not in [one.question for one in await latest(10)]


class TestFindingExchanges:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("measuring", ["How is the level measured?"]),
            ("gravity", ["What causes tides?"]),
            ("a stilling well", ["How is the level measured?"]),
            ("gravity gauges", ["How is the level measured?", "What causes tides?"]),
            ("TIDE", ["What causes tides?", "And in spring?"]),
            ("robots", []),
            ("what is the", []),
            ("潮汐", []),
            ("", []),
            ("\x00", []),
            ("gravity\x00", ["What causes tides?"]),
            ("& | ! ( gravity <-> 'it''s :*", ["What causes tides?"]),
            ("http://gravity.example/?a=1&b=2 \\ 'gravity' /a\\'b", ["What causes tides?"]),
            ("gravity " + "x" * 10**6, ["What causes tides?"]),
            (" ".join(f"w{n}" for n in range(10**5)), []),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    async def test_goes_by_the_words_of_question_and_answer(self, found, query, expected):
        assert await found(query) == expected

    async def test_prefers_what_has_more_of_the_words(self, found):
        assert await found("higher spring tides", 1) == ["And in spring?"]

    async def test_prefers_a_rare_word_to_one_that_many_have(self, exchange, tides, found):
        await exchange("What do gyroscopes measure?", "Turning.", tides)
        for n in range(8):
            await exchange(f"What is level {n}?", "A level.", tides)
        assert (await found("gyroscopes and the level"))[0] == "What do gyroscopes measure?"

    async def test_prefers_the_question_to_the_answer(self, exchange, tides, found):
        await exchange("What is a gyroscope?", "A wheel.", tides)
        await exchange("And what else turns?", "A gyroscope, a gyroscope and a gyroscope.", tides)
        assert (await found("gyroscope"))[0] == "What is a gyroscope?"

    async def test_prefers_the_newer_of_two_with_the_same_words(self, exchange, tides, found):
        await exchange("What causes tides again?", "The gravity of the Moon.", tides)
        assert await found("gravity") == ["What causes tides again?", "What causes tides?"]

    @pytest.mark.parametrize(
        ("newer", "best"),
        [(4, "What is a gyroscope?"), (14, "Is gyroscope 14 there?")],
        ids=["a few newer ones", "many newer ones"],
    )
    async def test_weighs_words_against_recency(self, exchange, tides, found, newer, best):
        """The older one has 1.4 of the words that the newest has, which counts twice: so much is equal after 27."""
        await exchange("What is a gyroscope?", "A compass.", tides)
        for n in range(1, newer + 1):
            await exchange(f"Is compass {n} there?", "Yes.", tides)
            await exchange(f"Is gyroscope {n} there?", "Yes.", tides)
        assert (await found("gyroscope compass"))[0] == best

    @pytest.mark.parametrize("status", ENDED)
    async def test_finds_exchanges_however_they_ended(self, exchange, tides, found, status):
        await exchange("What is a gyroscope?", "", tides, status=status)
        assert await found("gyroscope") == ["What is a gyroscope?"]

    async def test_leaves_out_the_question_that_is_being_answered(self, conversations, tides, found):
        await conversations.store_question(OWNER, tides, "What did I ask about gravity?")
        assert await found("gravity") == ["What causes tides?"]

    async def test_finds_other_conversations_only_when_told_to(self, exchange, conversations, found, tides):
        await exchange("How strong is gravity?")
        assert await found("gravity") == ["What causes tides?"]
        rows = await conversations.find_exchanges(OWNER, tides, "gravity", 10, everywhere=True)
        assert [(row.question, row.conversation) for row in rows] == [
            ("How strong is gravity?", "How strong is gravity?"),
            ("What causes tides?", None),
        ]

    async def test_looks_at_the_beginning_of_a_long_query(self, found):
        assert await found("x" * (QUERY_LENGTH - 8) + " gravity") == ["What causes tides?"]
        assert await found("x" * QUERY_LENGTH + " gravity") == []


class TestOwner:
    """Another owner finds nothing, whichever conversation is named."""

    @pytest.mark.parametrize("everywhere", [False, True])
    async def test_another_owner_s_exchanges_are_not_recalled(self, conversations, tides, everywhere):
        for conversation in (tides, uuid4()):
            assert await conversations.recent_exchanges(OTHER, conversation, 10) == []
            assert await conversations.latest_exchanges(OTHER, conversation, 10, everywhere=everywhere) == []
            assert await conversations.find_exchanges(OTHER, conversation, "tides", 10, everywhere=everywhere) == []

    async def test_each_owner_recalls_their_own(self, conversations, exchange, tides):
        theirs = await exchange("Why tides?", "The Moon.", owner=OTHER)
        for owner, conversation, questions in (
            (OTHER, theirs.conversation_id, {"Why tides?"}),
            (OWNER, tides, {"What causes tides?", "And in spring?"}),
        ):
            rows = await conversations.find_exchanges(owner, conversation, "tides", 10, everywhere=True)
            assert {row.question for row in rows} == questions
            rows = await conversations.latest_exchanges(owner, conversation, 10, everywhere=True)
            assert {row.question for row in rows} >= questions
            assert ("Why tides?" in {row.question for row in rows}) == (owner == OTHER)

    async def test_how_rare_a_word_is_depends_on_the_owner_s_exchanges_alone(self, conversations, exchange, found):
        before = await found("higher spring tides gravity")
        for _ in range(5):
            await exchange("Higher spring gravity?", "Tides.", owner=OTHER)
        assert await found("higher spring tides gravity", everywhere=True) == before


FILL = """
with conversation as (
    insert into conversations (id, owner, title)
    select gen_random_uuid(), %(owner)s, 'Title ' || n from generate_series(1, %(conversations)s) n returning id, owner
),
turns as (
    select gen_random_uuid() as turn, id, owner, n from conversation, generate_series(1, %(turns)s) n
)
insert into messages (id, conversation_id, owner, turn_id, role, status, content)
select gen_random_uuid(), id, owner, turn, role,
    case role when 'user' then 'complete' else 'answered' end,
    case role when 'user' then 'What is part ' || n || ' of the robot?' else 'It is a joint of the arm' end
        || case when n = 3 then ' with a gyroscope' else '' end
from turns, unnest(array['user', 'assistant']) role
order by n, role desc
"""


async def fill(database, owner: str, *, conversations: int, turns: int) -> None:
    async with database.connection() as connection:
        values = {"owner": owner, "conversations": conversations, "turns": turns}
        await connection.execute(FILL, values)


async def readings(database, statement: str, **values) -> list[tuple[str, float]]:
    """How the plan reads messages, and how many rows of them."""
    async with database.connection() as connection:
        cursor = await connection.execute(f"explain (analyze, format json) {statement}", values)
        nodes = nodes_of((await cursor.fetchone())["QUERY PLAN"][0]["Plan"])
    return [(node["Node Type"], rows_of(node)) for node in nodes if node.get("Relation Name") == "messages"]


def nodes_of(plan: dict) -> Iterator[dict]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes_of(part)


def rows_of(node: dict) -> float:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return (node["Actual Rows"] + removed) * node["Actual Loops"]


class TestLongConversation:
    """200 turns, among 10,000 of others."""

    @pytest.fixture
    async def long(self, database) -> UUID:
        await fill(database, OTHER, conversations=50, turns=200)
        await fill(database, OWNER, conversations=1, turns=200)
        async with database.connection() as connection:
            await connection.execute("analyze messages, conversations")
            cursor = await connection.execute("select id from conversations where owner = %s", [OWNER])
            return (await cursor.fetchone())["id"]

    @pytest.mark.parametrize(
        "query", ["gyroscope", "the gyroscopes of the robot", "which arm has a joint, a gyroscope?"]
    )
    async def test_a_word_said_only_in_turn_3_is_found(self, conversations, long, query):
        rows = await conversations.find_exchanges(OWNER, long, query, 5, everywhere=False)
        assert rows[0].question == "What is part 3 of the robot? with a gyroscope"

    async def test_the_latest_are_the_last_turns(self, conversations, long):
        rows = await conversations.latest_exchanges(OWNER, long, 20, everywhere=False)
        assert [row.question for row in rows] == [f"What is part {n} of the robot?" for n in range(200, 180, -1)]
        assert await conversations.recent_exchanges(OWNER, long, 20) == rows[::-1]

    async def test_a_word_of_every_turn_gives_the_latest_and_no_more_than_asked_for(self, conversations, long):
        rows = await conversations.find_exchanges(OWNER, long, "robot", 20, everywhere=True)
        assert [row.question for row in rows] == [f"What is part {n} of the robot?" for n in range(200, 180, -1)]

    @pytest.mark.parametrize("everywhere", [False, True], ids=["this conversation", "everywhere"])
    @pytest.mark.parametrize("statement", ["ANSWERED", "LATEST", "FOUND"])
    async def test_others_messages_are_not_read_through(self, database, long, statement, everywhere):
        values = {"owner": OWNER, "conversation": long, "everywhere": everywhere, "limit": 20}
        if statement == "FOUND":
            values |= {"query": "gyroscope of the robot", "halving": HALVING}
        read = await readings(database, getattr(exchanges, statement), **values)
        assert read
        assert "Seq Scan" not in dict(read)
        assert sum(rows for _, rows in read) < 3000
