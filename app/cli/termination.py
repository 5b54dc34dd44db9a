"""How a command ends when it is told to."""

import signal
import sys
from typing import Any

TERMINATED = 128 + signal.SIGTERM
"""Its exit code."""


def exit_in_order(*_: Any) -> None:
    """As a handler of SIGTERM: everything that was opened is closed."""
    sys.exit(TERMINATED)
