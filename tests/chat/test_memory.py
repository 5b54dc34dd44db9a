"""What the model is told of earlier exchanges: whole pairs, the latest that fit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.memory import LONG, TOKENS_PER_MESSAGE, TokenCounter, input_of, without_markers
from tests.fakes.sources import exchange

TIDES = exchange("What is a tide?", "The rise of the sea [1].")
NEAP = exchange("And neap tides?", "They are smaller [12].", minute=1)
ENOUGH = 1000
PAIR = 2 * TOKENS_PER_MESSAGE


def words(text: str) -> int:
    return len(text.split())


def contents(messages: list) -> list[str]:
    return [message["content"] for message in messages]


class TestInput:
    def test_has_a_pair_of_messages_for_an_exchange_oldest_first(self):
        assert input_of([TIDES, NEAP], ENOUGH, words) == [
            {"role": "user", "content": "What is a tide?"},
            {"role": "assistant", "content": "The rise of the sea."},
            {"role": "user", "content": "And neap tides?"},
            {"role": "assistant", "content": "They are smaller."},
        ]

    def test_keeps_the_latest_when_not_all_fit(self):
        neap = words("And neap tides? They are smaller.") + PAIR
        assert input_of([TIDES, NEAP], neap, words) == input_of([NEAP], ENOUGH, words)
        assert input_of([TIDES, NEAP], neap - 1, words) == []

    def test_leaves_no_gap_and_no_half_pair_where_one_does_not_fit(self):
        long = exchange("Long?", "word " * 100, minute=1)
        last = exchange("Last?", "Yes.", minute=2)
        assert contents(input_of([TIDES, long, last], 90, words)) == ["Last?", "Yes."]

    def test_counts_an_answer_as_it_is_told(self):
        cited = exchange("?", "Yes" + " [1]" * 50)
        assert contents(input_of([cited], 2 + PAIR, words)) == ["?", "Yes"]

    def test_may_be_empty(self):
        assert input_of([], ENOUGH, words) == []
        assert input_of([TIDES], 0, words) == []

    def test_keeps_an_answer_that_cites_nothing(self):
        assert contents(input_of([exchange("Hello!", "Hello. Ask me about tides.")], ENOUGH, words))[0] == "Hello!"

    @given(
        st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20),
        st.integers(0, 500),
    )
    def test_never_exceeds_its_tokens_and_ends_with_the_latest(self, lengths, tokens):
        exchanges = [exchange(f"q{n}" + " q" * q, f"a{n}" + " a" * a) for n, (q, a) in enumerate(lengths)]
        told = input_of(exchanges, tokens, words)
        assert sum(words(content) + TOKENS_PER_MESSAGE for content in contents(told)) <= tokens
        pairs = [text for each in exchanges for text in (each.question, each.answer)]
        assert contents(told) == pairs[len(pairs) - len(told) :]
        assert len(told) % 2 == 0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("One [1]. Two [2][3].", "One. Two."),
        ("One [1, 2]. Two [3,4] [5].", "One. Two."),
        ("One [ 6 ] and\n[7] two.", "One and two."),
        ("Read `ranges[0]` and ``a`[1]`` [2].", "Read `ranges[0]` and ``a`[1]``."),
        ("```\nx = a[0, 1]\n```\nSo [1].", "```\nx = a[0, 1]\n```\nSo."),
        ("A ` alone [1].", "A ` alone."),
        ("[x] [1.5] [] [a1]", "[x] [1.5] [] [a1]"),
    ],
    ids=["one", "several in one", "spaces", "inline code", "a block of code", "a stray backtick", "no markers"],
)
def test_the_numbers_of_an_earlier_turn_are_left_out(answer, told):
    earlier = exchange("?", answer, conversation="Tides")
    assert without_markers(earlier) == exchange("?", told, conversation="Tides")


@pytest.fixture(scope="module")
def count(embedder) -> TokenCounter:
    return TokenCounter(embedder.tokenizer_json)


class TestTokenCounter:
    @pytest.mark.parametrize(
        ("text", "o200k_base"),
        [
            ("The rise and fall of the sea follows the Moon. " * 20, 221),
            ("def rise(sea: Sea) -> float:\n    return sea.level[0] - sea.mean\n" * 20, 420),
            (json.dumps([{"level": [1.25, n]} for n in range(50)], indent=2), 1052),
            ("潮汐是海水在月球和太阳引力作用下的周期性涨落现象。" * 20, 460),
            ("Прилив поднимает уровень моря. " * 20, 161),
            ("🌊🤖🚀😀🎉" * 20, 180),
            ("👨\u200d👩\u200d👧\u200d👦" * 20, 220),
            ("9f86d081884c7d659a2feaa0c55ad015" * 20, 380),
            ("\x01\x07" * 50, 100),
        ],
        ids=["English", "code", "JSON", "Chinese", "Russian", "emoji", "joined emoji", "one long word", "control"],
    )
    def test_counts_about_as_many_as_o200k_base_or_more(self, count, text, o200k_base):
        assert 0.95 * o200k_base <= count(text) <= 4 * o200k_base

    @pytest.mark.parametrize(
        ("text", "least"),
        [(" " * 1000, 200), ("\n" * 100, 7), ("龘" * 10, 20), ("word " * 25_000, 25_000), ("", 0)],
        ids=["spaces", "line ends", "rare characters", "125 kB", "nothing"],
    )
    def test_counts_what_wordpieces_leave_out(self, count, text, least):
        assert least <= count(text) <= len(text.encode())

    def test_counts_a_text_that_is_too_long_to_look_at_by_its_bytes(self, count):
        assert count("word " * 20_000) == 100_000
        assert count("é" * (LONG + 1)) == 2 * (LONG + 1)

    def test_keeps_a_conversation_of_any_script_within_the_tokens(self, count):
        exchanges = [exchange("🌊" * 10, "潮汐" * 40, minute=n) for n in range(20)]
        told = contents(input_of(exchanges, 2000, count))
        assert 2 <= len(told) < 2 * len(exchanges)
        assert sum(len(text.encode()) for text in told) / 4 <= 2000
