"""What every turn of this process shares."""

from collections.abc import Callable
from dataclasses import dataclass

from agents import Agent

from app.book.locating import Locator
from app.book.retrieval import Retriever
from app.chat.following import Followed
from app.chat.journal import Journal
from app.chat.presence import Presence
from app.chat.prompts import Prompt
from app.chat.providing import Models
from app.chat.running import RunningTurns
from app.grounding.support import Judge
from app.history.conversations import Conversations
from app.history.turns import Turns
from app.metrics import Metrics
from app.settings import Settings
from tools.context import TurnContext


@dataclass(frozen=True, slots=True)
class TurnParts:
    settings: Settings
    conversations: Conversations
    retriever: Retriever
    locator: Locator
    judge: Judge
    count_tokens: Callable[[str], int]
    prompt: Prompt
    agent: Agent[TurnContext]
    models: Models
    metrics: Metrics
    running: RunningTurns
    presence: Presence
    turns: Turns
    journal: Journal
    followed: Followed
