"""Why a build ends without success."""


class BuildFailure(Exception):  # noqa: N818 - reads as the fact that it states
    """A build has failed; the text is what people read.

    Args:
        kind: A `Build.FailureInfo.FailureType`: `USER_BUILD_STEP`; empty for what has none.
        detail: The text.
        status: How the build ends.
    """

    def __init__(self, kind: str, detail: str, status: str = "FAILURE") -> None:
        super().__init__(detail)
        self.kind, self.status = kind, status
