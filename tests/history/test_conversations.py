from uuid import UUID, uuid4

import pytest

from app.errors import NotFoundError
from app.history.conversations import Conversations
from app.settings import Secret
from tests.history.conftest import OTHER, OWNER, answer_record


async def messages(conversations: Conversations, conversation: UUID, owner: str = OWNER) -> list:
    return await conversations.messages(owner, conversation, limit=100, before=None)


class TestStoring:
    async def test_a_question_is_there_before_its_answer_which_is_running(self, conversations):
        turn = await conversations.store_question(OWNER, None, "What causes tides?")
        question, answer = await messages(conversations, turn.conversation_id)
        assert (question.role, question.status, question.content) == ("user", "complete", "What causes tides?")
        assert (answer.role, answer.status, answer.content) == ("assistant", "running", "")
        assert answer.id == turn.message_id
        assert question.turn_id == answer.turn_id == turn.turn_id

    async def test_an_answer_has_all_that_made_it(self, conversations):
        turn = await conversations.store_question(OWNER, None, "What causes tides?")
        await conversations.store_answer(OWNER, turn.message_id, answer_record())
        answer = (await messages(conversations, turn.conversation_id))[1]
        assert (answer.status, answer.content, answer.model) == ("answered", "The Moon.", "gpt-test")
        assert (answer.prompt_name, answer.prompt_version, answer.prompt_digest) == ("book_agent", "v1", "abc")
        assert answer.index_version == "i1"

    async def test_json_comes_back_as_it_was(self, conversations, exchange):
        citations = [{"n": 1, "quote": "größer 🌊 \"'", "start": 0, "heading_path": ["a", "b"], "support": 0.5}]
        refusal = {"reason": "not_in_book", "nearest": []}
        turn = await exchange("?", citations=citations, refusal=refusal, error={"type": "x"})
        answer = (await messages(conversations, turn.conversation_id))[1]
        assert (answer.citations, answer.refusal, answer.error) == (citations, refusal, {"type": "x"})

    async def test_json_that_is_absent_is_none(self, conversations, exchange):
        turn = await exchange("?", citations=None, refusal=None, error=None)
        answer = (await messages(conversations, turn.conversation_id))[1]
        assert (answer.citations, answer.refusal, answer.error) == (None, None, None)

    async def test_nul_is_left_out_of_question_answer_and_title(self, conversations, exchange, database):
        turn = await exchange("What\x00?", "The\x00 Moon.")
        stored = await messages(conversations, turn.conversation_id)
        assert [message.content for message in stored] == ["What?", "The Moon."]
        async with database.connection() as connection:
            title = await (await connection.execute("select title from conversations")).fetchone()
        assert title == {"title": "What?"}

    async def test_a_long_first_question_gives_its_beginning_as_title(self, conversations, database):
        await conversations.store_question(OWNER, None, "tide " * 100)
        async with database.connection() as connection:
            title = await (await connection.execute("select title from conversations")).fetchone()
        assert title["title"] == ("tide " * 100)[:80]

    async def test_a_further_question_goes_into_its_conversation(self, conversations, tides):
        contents = [message.content for message in await messages(conversations, tides)]
        assert contents[::2] == ["What causes tides?", "How is the level measured?", "And in spring?"]


class TestLostReplies:
    """To a statement or a commit that the server has done."""

    @pytest.fixture
    def settings(self, make_settings, proxied_url):
        return make_settings(database_url=Secret(proxied_url))

    @pytest.mark.parametrize(
        "lost", [b"insert into conversations", b"insert into messages", b"COMMIT"], ids=["first", "second", "commit"]
    )
    async def test_do_not_lose_or_repeat_a_question(self, conversations, postgres_proxy, lost):
        postgres_proxy.lose_reply_to(lost)
        turn = await conversations.store_question(OWNER, None, "What causes tides?")
        assert postgres_proxy.has_lost_reply
        stored = await messages(conversations, turn.conversation_id)
        assert [message.content for message in stored] == ["What causes tides?", ""]

    async def test_do_not_lose_or_repeat_a_further_question(self, conversations, postgres_proxy):
        first = await conversations.store_question(OWNER, None, "What causes tides?")
        postgres_proxy.lose_reply_to(b"COMMIT")
        await conversations.store_question(OWNER, first.conversation_id, "And in spring?")
        assert postgres_proxy.has_lost_reply
        stored = await messages(conversations, first.conversation_id)
        assert [message.content for message in stored][::2] == ["What causes tides?", "And in spring?"]

    async def test_do_not_lose_an_answer(self, conversations, postgres_proxy):
        turn = await conversations.store_question(OWNER, None, "What causes tides?")
        postgres_proxy.lose_reply_to(b"update messages set")
        await conversations.store_answer(OWNER, turn.message_id, answer_record())
        assert postgres_proxy.has_lost_reply
        assert (await messages(conversations, turn.conversation_id))[1].content == "The Moon."

    async def test_are_not_seen_by_who_reads(self, conversations, postgres_proxy):
        turn = await conversations.store_question(OWNER, None, "What causes tides?")
        postgres_proxy.lose_reply_to(b"from messages")
        assert len(await messages(conversations, turn.conversation_id)) == 2
        postgres_proxy.lose_reply_to(b"from exchanges")
        assert await conversations.recent_exchanges(OWNER, turn.conversation_id, 5) == []
        assert postgres_proxy.has_lost_reply


class TestOwner:
    """Another owner's conversation is as absent as one that never was."""

    @pytest.fixture(params=["another owner's", "unknown"])
    def absent(self, request, tides) -> UUID:
        return tides if request.param == "another owner's" else uuid4()

    async def test_its_messages_are_not_found(self, conversations, absent):
        with pytest.raises(NotFoundError, match="no such conversation"):
            await messages(conversations, absent, OTHER)

    async def test_it_takes_no_question(self, conversations, absent, tides):
        with pytest.raises(NotFoundError, match="no such conversation"):
            await conversations.store_question(OTHER, absent, "May I?")
        assert len(await messages(conversations, tides)) == 6

    async def test_its_answer_is_not_overwritten(self, conversations):
        turn = await conversations.store_question(OWNER, None, "What causes tides?")
        await conversations.store_answer(OTHER, turn.message_id, answer_record("Mine."))
        assert [message.content for message in await messages(conversations, turn.conversation_id)][1] == ""


class TestMessages:
    async def test_are_oldest_first(self, conversations, tides):
        stored = await messages(conversations, tides)
        assert [message.role for message in stored] == ["user", "assistant"] * 3
        assert [message.position for message in stored] == sorted(message.position for message in stored)

    async def test_are_paged_backwards_without_gap_or_repetition(self, conversations, tides):
        everything, before, pages = await messages(conversations, tides), None, []
        while page := await conversations.messages(OWNER, tides, limit=4, before=before):
            pages.insert(0, page)
            before = page[0].position
        assert [len(page) for page in pages] == [2, 4]
        assert [message for page in pages for message in page] == everything
