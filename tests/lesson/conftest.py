"""What a cell shows, kept for tests to look at."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

Shown = Callable[[], dict[str, Any]]


@pytest.fixture
def shown() -> Iterator[Shown]:
    """Returns what was displayed last, by MIME type."""
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    with capture_output(stdout=False, stderr=False) as captured:
        yield lambda: dict(captured.outputs[-1].data)
