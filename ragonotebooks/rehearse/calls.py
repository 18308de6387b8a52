"""What a rehearsal hears of each call that its sandbox answered: lines of the ledger, handed over by the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Need(Protocol):
    """A permission that a call needed: `s3:ListBucket`, the ARN or full name it was needed on, conditions of the call's own."""

    @property
    def permission(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def conditions(self) -> Mapping[str, str]: ...


class Call(Protocol):
    """One call: when (ISO 8601, UTC), what, on what, whether it changed something, what it needed."""

    @property
    def time(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def mutating(self) -> bool: ...
    @property
    def needs(self) -> Sequence[Need]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """How the sandbox calls what the real cloud calls by another name.

    account: the account's id, 12 digits.
    project: the project's id.
    number: the project's number.
    """

    account: str
    project: str
    number: str
