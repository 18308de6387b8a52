"""What moto and botocore keep, and a daemon that lives for days does not need."""

import json
import sys
from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from moto.core.common_models import BaseModel


def install() -> None:
    """Let this process keep less, from now on."""
    # moto 5.2.5 lists every object that it ever made, for its dashboard
    BaseModel.__new__ = _made
    Loader.FILE_LOADER_CLASS = _Models


def _made(cls: type, *_: Any, **__: Any) -> Any:
    return object.__new__(cls)


class _Models(JSONFileLoader):
    """Reads botocore's models: each once for all sessions of this process, and without what they say to people."""

    @staticmethod
    @cache
    def _load_file(full_path: str, open_method: Any) -> Any:
        try:
            with open_method(full_path, "rb") as file:
                return json.loads(file.read().decode(), object_pairs_hook=_needed)
        except FileNotFoundError:
            return None


def _needed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: _short(name, value) if isinstance(value, str) else value for name, value in pairs}


def _short(name: str, value: str) -> str:
    return "" if name == "documentation" else sys.intern(value)
