"""Which questions are about the conversation, and which about the book."""

import pytest

from app.chat.questions import is_about_conversation


@pytest.mark.parametrize(
    "question",
    [
        "What did I ask before?",
        "what did i just ask you",
        "What have we discussed so far?",
        "Did I already ask about tides?",
        "What did you say about neap tides?",
        "What have you told me?",
        "Repeat what you said.",
        "What was my last question?",
        "Summarise your previous answer.",
        "What were our earlier messages about?",
        "Summarise this conversation.",
        "What is this chat about?",
        "Have we talked about gauges?",
    ],
)
def test_a_question_about_the_conversation_is_seen_as_one(question):
    assert is_about_conversation(question)


@pytest.mark.parametrize(
    "question",
    [
        "What did Newton say about tides?",
        "What did the author mention about gauges?",
        "What is a spring tide?",
        "Who asked for the first tide table?",
        "Have tides ever been larger?",
        "What question does the last chapter answer?",
        "What is the previous high water called?",
        "How do I ask a gauge for its level?",
        "What do we mean by datum?",
        "Did Laplace discuss the conversation of energy?",
        "What is a chat server?",
        "Explain the discussion of neap tides.",
        "If I told the robot to stop, which stop category applies?",
        "What is the node we discussed?",
        "Have you discussed inverse kinematics in the book?",
        "As we discussed, who won the world cup in 2018?",
        "Why?",
        "",
    ],
)
def test_a_question_about_the_book_is_not(question):
    assert not is_about_conversation(question)
