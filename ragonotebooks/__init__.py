"""Notebooks that teach and do the cloud deployment of Ragonometrics.

These names are what a notebook uses; each is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragonotebooks.lesson.check import CheckFailed, check, exercise
    from ragonotebooks.lesson.connect import Lab, connect
    from ragonotebooks.lesson.look import first, maybe, refused
    from ragonotebooks.lesson.show import show_price, show_table

_HOMES = {
    "CheckFailed": "check",
    "Lab": "connect",
    "check": "check",
    "connect": "connect",
    "exercise": "check",
    "first": "look",
    "maybe": "look",
    "refused": "look",
    "show_price": "show",
    "show_table": "show",
}

__all__ = [
    "CheckFailed",
    "Lab",
    "check",
    "connect",
    "exercise",
    "first",
    "maybe",
    "refused",
    "show_price",
    "show_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ragonotebooks' has no attribute {name!r}")
    return getattr(import_module(f"ragonotebooks.lesson.{_HOMES[name]}"), name)
