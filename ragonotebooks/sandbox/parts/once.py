"""What is made once for a folder, whoever asks for it and however many at the same time."""

import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar

_Made = TypeVar("_Made")


def once_a_folder(make: Callable[[Path], _Made]) -> Callable[[Path], _Made]:
    """Let `make` do its work once for each folder; who asks meanwhile waits. What fails is tried again."""
    made: dict[Path, _Made] = {}
    lock = threading.Lock()

    @wraps(make)
    def get(folder: Path) -> _Made:
        with lock:
            if folder not in made:
                made[folder] = make(folder)
            return made[folder]

    return get
