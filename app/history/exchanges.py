"""Earlier exchanges as they are recalled: the statements that find them, each of which names the owner."""

from datetime import datetime

import msgspec

HALVING = 20.0
"""Newer exchanges with words of the query that halve what being new adds to an exchange's score."""
QUERY_LENGTH = 500


class Exchange(msgspec.Struct, frozen=True):
    """A question and the answer it got."""

    question: str
    answer: str
    asked_at: datetime
    conversation: str | None = None
    """The title, when it is another one."""


ANSWERED = """
select question, answer, asked_at from exchanges
where owner = %(owner)s and conversation_id = %(conversation)s and status = 'answered'
order by position desc limit %(limit)s
"""

LATEST = """
select question, answer, asked_at, case when conversation_id <> %(conversation)s then title end as conversation
from exchanges
where owner = %(owner)s and (%(everywhere)s or conversation_id = %(conversation)s)
order by position desc limit %(limit)s
"""

FOUND = """
with wanted as (
    select lexeme as word, quote_literal(lexeme)::tsquery as query
    from unnest(to_tsvector('english', %(query)s))
),
hits as (
    select said.turn_id, wanted.word, max(case said.role when 'user' then 1 else 0.4 end) as weight
    from wanted
    join messages said on said.words @@ wanted.query
    where said.owner = %(owner)s and (%(everywhere)s or said.conversation_id = %(conversation)s)
    group by said.turn_id, wanted.word
),
rarities as (
    select word, ln(1 + (select count(distinct turn_id) from hits) / count(*)::float) as rarity from hits group by word
),
matches as (
    select turn_id, sum(weight * rarity) as score from hits join rarities using (word) group by turn_id
)
select question, answer, asked_at, case when conversation_id <> %(conversation)s then title end as conversation
from matches join exchanges using (turn_id)
where owner = %(owner)s
order by score * (1 + %(halving)s / (%(halving)s + row_number() over (order by position desc) - 1)) desc, position desc
limit %(limit)s
"""
"""By words: each of the query's that the exchange has counts 1 in the question or 0.4 in the answer alone, times its
rarity, ln(1 + exchanges found / those of them with the word). By recency: times 1 + HALVING / (HALVING + newer ones
found), so that the newest counts twice, and a word is not lost however long ago it was said.
"""
