"""Conversations in Postgres: questions, answers, and what made them. Every statement names the owner."""

from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID, uuid4

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.errors import KeyTakenError, NotFoundError, TurnLostError
from app.history.database import Connection, Database
from app.history.exchanges import ANSWERED, FOUND, HALVING, LATEST, QUERY_LENGTH, Exchange
from app.history.turns import Opening, Status, StoredEvent, end_turn, insert_turn

PUBLIC = "public"
"""Whose everything is while nobody signs in."""
TITLE_LENGTH = 80


class StoredTurn(msgspec.Struct, frozen=True):
    """A question that is in the database, with the place for its answer."""

    turn_id: UUID
    conversation_id: UUID
    message_id: UUID
    """Of the answer."""


class AnswerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of an answer; from the citations on as JSON."""

    status: Status
    content: str
    model: str
    prompt_name: str
    prompt_version: str
    prompt_digest: str
    index_version: str | None
    input_tokens: int
    output_tokens: int
    model_calls: int
    citations: Any
    refusal: Any
    error: Any
    timings: Any
    grounding: Any
    withheld: Any
    """Sentences of the model's that were not told."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    turn_id: UUID
    position: int
    role: Literal["user", "assistant"]
    status: Status
    content: str
    created_at: datetime
    model: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    prompt_digest: str | None = None
    index_version: str | None = None
    citations: Any = None
    refusal: Any = None
    error: Any = None
    grounding: Any = None
    asked_with: Any = None
    """Of a question: the selected text, the page and the filters, if there were any."""


AS_JSON = ("citations", "refusal", "error", "timings", "grounding", "withheld")

STORE_CONVERSATION = "insert into conversations (id, owner, title) values (%s, %s, %s) on conflict do nothing"

STORE_QUESTION = """
insert into messages (id, conversation_id, owner, turn_id, role, status, content, asked_with) values
    (%(question_id)s, %(conversation)s, %(owner)s, %(turn)s, 'user', 'complete', %(text)s, %(asked_with)s),
    (%(answer_id)s, %(conversation)s, %(owner)s, %(turn)s, 'assistant', 'running', '', null)
on conflict do nothing
"""
"""Nothing where it was stored and only the answer to the commit was lost: all ids are new ones."""

STORE_ANSWER = """
update messages set
    finished_at = now(), status = %(status)s, content = %(content)s, model = %(model)s, prompt_name = %(prompt_name)s,
    prompt_version = %(prompt_version)s, prompt_digest = %(prompt_digest)s, index_version = %(index_version)s,
    input_tokens = %(input_tokens)s, output_tokens = %(output_tokens)s, model_calls = %(model_calls)s,
    citations = %(citations)s, refusal = %(refusal)s, error = %(error)s, timings = %(timings)s,
    grounding = %(grounding)s, withheld = %(withheld)s
where id = %(id)s and owner = %(owner)s and status = 'running'
"""

MESSAGES = """
select id, turn_id, position, role, status, content, created_at, model, prompt_name, prompt_version, prompt_digest,
    index_version, citations, refusal, error, grounding, asked_with
from messages
where conversation_id = %(conversation)s and owner = %(owner)s
    and (%(before)s::bigint is null or position < %(before)s)
order by position desc limit %(limit)s
"""


class Conversations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def store_question(
        self,
        owner: str,
        conversation_id: UUID | None,
        question: str,
        asked_with: dict[str, Any] | None = None,
        opening: Opening | None = None,
    ) -> StoredTurn:
        """`opening`: so that the turn's events can be kept.

        Raises NotFoundError when the conversation is not the owner's, KeyTakenError when the idempotency key is in use.
        """
        turn = StoredTurn(uuid4(), conversation_id or uuid4(), uuid4())
        text = without_nul(question)
        values = {
            "question_id": uuid4(),
            "answer_id": turn.message_id,
            "conversation": turn.conversation_id,
            "owner": owner,
            "turn": turn.turn_id,
            "text": text,
            "asked_with": asked_with and Jsonb(without_nuls(asked_with)),
        }

        async def store(connection: Connection) -> None:
            if conversation_id is None:
                await connection.execute(STORE_CONVERSATION, [turn.conversation_id, owner, text[:TITLE_LENGTH]])
            else:
                await _touch(connection, owner, conversation_id)
            if opening is not None and not await insert_turn(
                connection, owner, turn.conversation_id, turn.message_id, turn.turn_id, opening
            ):
                raise KeyTakenError
            await connection.execute(STORE_QUESTION, values)

        await self._database.transact(store)
        return turn

    async def store_answer(
        self, owner: str, message_id: UUID, answer: AnswerRecord, last: StoredEvent | None = None
    ) -> None:
        """With the turn's last event. Raises TurnLostError when it has ended already, in another way."""
        values = msgspec.structs.asdict(answer) | {
            name: Jsonb(without_nuls(getattr(answer, name))) for name in AS_JSON if getattr(answer, name) is not None
        }
        values |= {"content": without_nul(answer.content), "id": message_id, "owner": owner}

        async def store(connection: Connection) -> None:
            await connection.execute(STORE_ANSWER, values)
            if last is not None and not await end_turn(connection, last):
                raise TurnLostError

        await self._database.transact(store)

    async def recent_exchanges(self, owner: str, conversation_id: UUID, limit: int) -> list[Exchange]:
        """Answered ones, oldest first."""
        return (await self._exchanges(ANSWERED, owner, conversation_id, limit=limit))[::-1]

    async def latest_exchanges(
        self, owner: str, conversation_id: UUID, limit: int, *, everywhere: bool
    ) -> list[Exchange]:
        """However they ended, latest first; with `everywhere`, of the owner's other conversations, too."""
        return await self._exchanges(LATEST, owner, conversation_id, limit=limit, everywhere=everywhere)

    async def find_exchanges(
        self, owner: str, conversation_id: UUID, query: str, limit: int, *, everywhere: bool
    ) -> list[Exchange]:
        """Those with a word of the query, however they ended, best first by words and recency."""
        words = without_nul(query[:QUERY_LENGTH])
        return await self._exchanges(
            FOUND, owner, conversation_id, query=words, limit=limit, everywhere=everywhere, halving=HALVING
        )

    async def messages(self, owner: str, conversation_id: UUID, *, limit: int, before: int | None) -> list[Message]:
        """The newest ones before a position, oldest first. Raises NotFoundError."""

        async def read(connection: Connection) -> list[Message]:
            await _check_owner(connection, owner, conversation_id)
            cursor = connection.cursor(row_factory=class_row(Message))
            await cursor.execute(
                MESSAGES, {"conversation": conversation_id, "owner": owner, "before": before, "limit": limit}
            )
            return await cursor.fetchall()

        return (await self._database.run(read))[::-1]

    async def _exchanges(
        self, statement: LiteralString, owner: str, conversation_id: UUID, **values: str | float
    ) -> list[Exchange]:
        scope = {"owner": owner, "conversation": conversation_id}
        return await self._database.fetch(statement, scope | values, Exchange)


def without_nuls(value: Any) -> Any:
    """The same for every text in JSON."""
    if isinstance(value, str):
        return without_nul(value)
    if isinstance(value, dict):
        return {key: without_nuls(inner) for key, inner in value.items()}
    return [without_nuls(inner) for inner in value] if isinstance(value, list) else value


def without_nul(text: str) -> str:
    """Postgres has no NUL in text."""
    return text.replace("\x00", "")


async def _touch(connection: Connection, owner: str, conversation_id: UUID) -> None:
    cursor = await connection.execute(
        "update conversations set updated_at = now() where id = %s and owner = %s", [conversation_id, owner]
    )
    if cursor.rowcount == 0:
        raise NotFoundError("There is no such conversation.")


async def _check_owner(connection: Connection, owner: str, conversation_id: UUID) -> None:
    cursor = await connection.execute(
        "select 1 from conversations where id = %s and owner = %s", [conversation_id, owner]
    )
    if await cursor.fetchone() is None:
        raise NotFoundError("There is no such conversation.")
