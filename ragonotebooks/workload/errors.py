"""The one error that is somebody's to fix outside of the code."""


class InputError(Exception):
    """A setting or an input is wrong. The message is one sentence: the thing, what is wrong, the fix. Exit code 2."""
