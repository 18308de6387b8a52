"""Notebooks that teach and do the cloud deployment of Ragonometrics.

These names are what a notebook uses; each is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragonotebooks.lesson.check import CheckFailed, check, exercise
    from ragonotebooks.lesson.connect import Lab, connect
    from ragonotebooks.lesson.hush import hush
    from ragonotebooks.lesson.look import first, maybe, refused
    from ragonotebooks.lesson.parameters import Between, Corpus, Deployment, Matching, Region, Secret, Target
    from ragonotebooks.lesson.secret import secret
    from ragonotebooks.lesson.show import show_price, show_table

_HOMES = {
    "Between": "parameters",
    "CheckFailed": "check",
    "Corpus": "parameters",
    "Deployment": "parameters",
    "Lab": "connect",
    "Matching": "parameters",
    "Region": "parameters",
    "Secret": "parameters",
    "Target": "parameters",
    "check": "check",
    "connect": "connect",
    "exercise": "check",
    "first": "look",
    "hush": "hush",
    "maybe": "look",
    "refused": "look",
    "secret": "secret",
    "show_price": "show",
    "show_table": "show",
}

__all__ = [
    "Between",
    "CheckFailed",
    "Corpus",
    "Deployment",
    "Lab",
    "Matching",
    "Region",
    "Secret",
    "Target",
    "check",
    "connect",
    "exercise",
    "first",
    "hush",
    "maybe",
    "refused",
    "secret",
    "show_price",
    "show_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ragonotebooks' has no attribute {name!r}")
    return getattr(import_module(f"ragonotebooks.lesson.{_HOMES[name]}"), name)
