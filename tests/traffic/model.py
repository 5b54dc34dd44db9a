"""A model of many moods: what it says to a question follows from the question's number and a seed."""

import re
from collections import Counter
from random import Random

from tests.fakes.completions import Json
from tests.fakes.provider import Reply

NUMBER = re.compile(r"\(#(\d+)\)")
WELL = "A stilling well is a vertical pipe with a small opening that filters out waves [1]. "
TIDE = "A tide is the regular rise and fall of the sea, caused mainly by the gravity of the Moon [1]. "


class Moody:
    """A script for the provider; `stall_s`: longer than its client waits."""

    def __init__(self, seed: int, *, pace_s: float, stall_s: float) -> None:
        self._seed = seed
        self.calls: Counter[int] = Counter()
        """By the question's number."""
        answer = Reply.text(WELL + TIDE)
        moods = [
            (60, answer),
            (20, answer.paced(first_byte_s=pace_s * 5, chunk_s=pace_s)),
            (8, Reply.text((WELL + TIDE) * 4).paced(chunk_s=pace_s)),
            (3, Reply.error(500)),
            (2, Reply.error(429, headers={"retry-after": "1"})),
            (4, answer.paced(cut_after=10)),
            (3, answer.paced(first_byte_s=stall_s)),
        ]
        self._weights, self._replies = zip(*moods, strict=True)

    def __call__(self, request: Json) -> Reply:
        if "messages" not in request:  # the client left while it asked
            return Reply.error(400)
        number = int(NUMBER.findall(str(request["messages"][-1]["content"]))[-1])
        self.calls[number] += 1
        [reply] = Random(f"{self._seed} {number}").choices(self._replies, self._weights)
        return reply
