"""What can be told of a question by its words alone."""

import re

ABOUT_CONVERSATION = re.compile(
    r"""\b(
        (did|have|had)\ (i|we|you)\ (just\ |already\ |ever\ )*
            (ask|say|said|tell|told|discuss|talk|mention|answer)(ed)?
        | (i|we|you)\ (just\ |already\ )?(asked|said|told|discussed|talked|mentioned)
        | (my|your|our)\ (last|previous|first|earlier|second)\ (question|answer|message)s?
        | (this|our)\ (conversation|chat|discussion)
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)


def is_about_conversation(question: str) -> bool:
    """Such a question is answered from the history, without citations."""
    return ABOUT_CONVERSATION.search(question) is not None
