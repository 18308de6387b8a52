"""What papermill's entry point `papermill.engine` names: the engine, loaded when it is first used.

Papermill loads all entry points while it is being imported, and the engine's module imports papermill.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    from ragonotebooks.run.one_by_one import OneByOne

    return getattr(OneByOne, name)
