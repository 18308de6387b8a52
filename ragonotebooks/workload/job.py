"""How every process ends: an exit code and, when it failed, one line that says why."""

import os
from collections.abc import Callable

from . import logs, settings
from .errors import InputError


def run(main: Callable[[], None]) -> int:
    """Run it and return its exit code: 0 when done, 2 for a wrong setting or input, 1 for anything else."""
    logs.start(secrets=settings.secrets(os.environ))
    try:
        main()
    except InputError as error:
        logs.error("refused", message=str(error))
        return 2
    except Exception as error:
        logs.error("failed", message=f"{type(error).__name__}: {error}".strip(), traceback=True)
        return 1
    return 0
