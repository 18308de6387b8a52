"""The errors that reach a person. Each message is one sentence that names the thing, what is wrong, and the fix."""


class RagonotebooksError(Exception):
    """Something failed while doing what was asked. The command line ends with exit code 1."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence, without the way through this package that led to it."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(RagonotebooksError):
    """What was asked for cannot be done as asked: bad input. The command line ends with exit code 2."""

    exit_code = 2
