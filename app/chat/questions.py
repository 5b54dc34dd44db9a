"""What can be told of a question by its words alone."""

import re

ABOUT_CONVERSATION = re.compile(
    r"""\W*(?:(?:please|and|so|can\ you|could\ you|tell\ me|remind\ me)\W+)*(?:
        (?:what|which|when|how\ (?:often|many))\b[^.?!]*\b(?:did|have|had)\ (?:i|we|you)\ (?:just\ |already\ )*
            (?:ask|say|said|tell|told|discuss|talk|mention|answer)(?:ed)?\b
        | (?:did|have|had)\ (?:i|we)\ (?:just\ |already\ |ever\ )*(?:ask|say|said|discuss|talk|mention)(?:ed)?\b
        | (?:repeat|summari[sz]e|recall)\ what\ (?:i|we|you)\b
        | (?:what|which|repeat|show|list|summari[sz]e|recall)\b[^.?!]*\b(?:my|your|our)\ (?:\w+\ ){0,2}
            (?:question|answer|message)s?\b
        | (?:what|repeat|show|list|summari[sz]e|recall)\b[^.?!]*\b(?:this|our)\ (?:conversation|chat|discussion)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def is_about_conversation(question: str) -> bool:
    """Such a question is answered from the history, without citations."""
    return ABOUT_CONVERSATION.match(question) is not None
