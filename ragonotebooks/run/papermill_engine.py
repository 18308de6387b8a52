"""What papermill's entry point `papermill.engine` names: the engine, loaded when it is first used.

Papermill loads all entry points while it is being imported, and the engine's module imports papermill.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    from ragonotebooks.run.engine import RagonotebooksEngine

    return getattr(RagonotebooksEngine, name)
