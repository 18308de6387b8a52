"""What a sandbox remembers of lessons, so that `connect` need not bring up again what is there."""

from collections.abc import Mapping
from typing import Any


def remember(sandbox: str, lesson: str, values: Mapping[str, Any]) -> None:
    """Let the sandbox of this name remember that a lesson passed in it with these values."""
    from ragonotebooks.sandbox import client

    # A notebook that asked nothing of the sandbox did not start it, and left nothing there to build upon.
    if client.find(sandbox):
        client.mark_passed(sandbox, lesson, values)
