"""Which questions are about the conversation, which lean on the one before, and which are none."""

import pytest

from app.chat.questions import core, is_about_book, is_about_conversation, leans_on_earlier, small_talk, topic


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


@pytest.mark.parametrize(
    "question",
    [
        "And the other one?",
        "Why?",
        "neap tides",
        "How often does it come in a month?",
        "What about gauges at sea?",
        "Which of these is larger in spring?",
        "And how is a datum chosen for charts?",
        "Is that also so in a small bay?",
    ],
)
def test_a_question_of_few_words_or_with_a_pronoun_leans_on_the_one_before(question):
    assert leans_on_earlier(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is a spring tide?",
        "How often do spring tides come in a month?",
        "When does the item list begin to load?",
        "Which gauges does Brest have in the harbour?",
    ],
)
def test_a_question_that_stands_alone_does_not(question):
    assert not leans_on_earlier(question)


@pytest.mark.parametrize(
    ("question", "asking"),
    [
        pytest.param("I am at the sea. When is high water?", "When is high water?", id="after a statement"),
        pytest.param("What is a tide? I read of it.", "What is a tide?", id="before a statement"),
        pytest.param("What is a tide? And when is it?", "And when is it?", id="the last of two"),
        pytest.param("What is a tide?", None, id="one"),
        pytest.param("I am at the sea. Tell me of tides.", None, id="none that asks"),
        pytest.param("?! ...", None, id="no words"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_core_of_several_sentences_is_the_last_that_asks(question, asking):
    assert core(question) == asking


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Hi", "greeting"),
        ("hello there!", "greeting"),
        ("Hey, good morning", "greeting"),
        ("hiya", "greeting"),
        ("How are you today?", "greeting"),
        ("Thanks!", "thanks"),
        ("thank you so much for your help", "thanks"),
        ("ok, got it. That's very helpful, thanks", "thanks"),
        ("That helped a lot!", "thanks"),
        ("Bye bye!", "farewell"),
        ("see you later", "farewell"),
        ("That's all.", "farewell"),
        ("Who are you?", "identity"),
        ("help", "identity"),
        ("What can you do for me?", "identity"),
        ("Hello, who are you?", "identity"),
        ("Hi, thanks!", "thanks"),
    ],
)
def test_a_courtesy_is_seen_as_one(question, kind):
    assert small_talk(question) == kind


@pytest.mark.parametrize(
    "question",
    [
        "Hi, what is a spring tide?",
        "Thanks, and neap tides?",
        "Thank you. When is high water?",
        "hi-fi",
        "What is help desk software?",
        "How can you help a robot?",
        "What are you told of tides in the book?",
        "Is the book good?",
        "What is a greeting?",
        "High water",
        "Good tides",
        "okra",
        "How do you work out the datum?",
        "",
        "?",
    ],
)
def test_what_asks_something_is_none(question):
    assert small_talk(question) is None


@pytest.mark.parametrize(
    "part", [" very great", " hi", " thanks so much", " good", " that is great", " ", "?", "what "]
)
def test_no_question_takes_long(part):
    question = "thanks" + part * 300 + " x"
    assert small_talk(question) is None
    assert not is_about_conversation(question)
    assert core(question) in {None, question.removesuffix(" x")}
    assert isinstance(leans_on_earlier(question), bool)


@pytest.mark.parametrize(
    ("questions", "expected"),
    [
        ([], None),
        (["What is a neap tide?"], "What is a neap tide?"),
        (["What is a neap tide?", "thanks"], "What is a neap tide?"),
        (["What is a neap tide?", "What did I ask before?"], "What is a neap tide?"),
        (["What is a neap tide?", "And its range?"], "What is a neap tide?"),
        (["And its range?"], "And its range?"),
        (["What is a neap tide?", "How does a tide gauge work?"], "How does a tide gauge work?"),
    ],
    ids=["none", "one", "a courtesy", "about the conversation", "one that leans", "nothing else", "the latest"],
)
def test_a_follow_up_leans_on_the_latest_question_that_says_what_it_is_about(questions, expected):
    assert topic(questions) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Which topic carries my sensor messages?",
        "What type should my messages have?",
        "What is your answer to gimbal lock?",
    ],
)
def test_a_question_with_my_or_your_may_be_about_the_book(question):
    assert not is_about_conversation(question)


@pytest.mark.parametrize(
    "question",
    [
        "what was the first thing i asked you",
        "do you remember my first question?",
        "My previous question?",
        "what are we talking about?",
        "Please remind me what I asked about joints",
        "go back to my first question",
        "I forgot what I asked you. What was it?",
    ],
)
def test_there_are_many_ways_to_ask_about_the_conversation(question):
    assert is_about_conversation(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is this book about?",
        "What does the book cover?",
        "Who is this textbook for?",
        "Can you summarize the whole book?",
        "Give me an overview of this course",
        "How is the documentation organized?",
    ],
)
def test_a_question_about_the_whole_book_is_seen_as_one(question):
    assert is_about_book(question)


@pytest.mark.parametrize(
    "question",
    [
        "What does the book say about tides?",
        "What is a tide?",
        "Which chapter of this book treats gauges?" + " Is it long?",
        "Is the book's gauge calibrated?",
        "How do I calibrate a gauge by the manual procedure?",
    ],
)
def test_a_question_about_something_in_it_is_not(question):
    assert not is_about_book(question)
