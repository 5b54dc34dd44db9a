"""Replies to what is no question: they need no model."""

from app.chat.questions import FAREWELL, GREETING, IDENTITY, THANKS

REPLIES = {
    GREETING: "Hello! Ask me anything about {title}: I answer from its text only, and say where it stands.",
    THANKS: "You're welcome! Ask me more about {title} whenever you like.",
    FAREWELL: "Goodbye, and enjoy reading!",
    IDENTITY: "I'm an assistant that answers questions about {title}, only from its text, with a citation for each "
    "statement. What would you like to know?",
}

NOTHING_BEFORE = "This conversation has just begun: you have not asked anything before."


def reply_to(kind: str, title: str) -> str:
    return REPLIES[kind].format(title=title)
