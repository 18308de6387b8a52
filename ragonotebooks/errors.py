"""The errors that reach a person. Each message is one sentence that names the thing, what is wrong, and the fix."""


class RagonotebooksError(Exception):
    """Something failed while doing what was asked. The command line ends with exit code 1."""

    exit_code = 1


class UsageError(RagonotebooksError):
    """What was asked for cannot be done as asked: bad input. The command line ends with exit code 2."""

    exit_code = 2
