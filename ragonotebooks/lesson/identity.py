"""Whom the clients of this process act as, and in which account or project: asked, and held against what was meant."""

import os
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from ragonotebooks.errors import UsageError
from ragonotebooks.lesson import aws, gcp

CLOUDS: Final[dict[str, ModuleType]] = {"aws": aws, "gcp": gcp}
"""What differs between the clouds, by the names that notebooks and runbooks give them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is known to a cloud, and where.

    account: the account's id, 12 digits, or the project's.
    caller: an ARN or an e-mail address.
    """

    account: str
    caller: str


def ask(cloud: str, account: str = "") -> Identity:
    """Ask the cloud who the caller is; nothing else is asked or changed.

    Args:
        cloud: "aws" or "gcp".
        account: The account or project that has to be the caller's. Empty for whichever AWS's credentials are for;
            those of Google Cloud are good for many projects, so that one has to be named.

    Raises:
        UsageError: It is another one, or not theirs to see, or Google's clients are not installed.
        RagonotebooksError: The credentials are not good.
    """
    return Identity(*CLOUDS[cloud].who_am_i(account))


def named(cloud: str) -> str:
    """The account or project that the environment names for the target `cloud`.

    Raises:
        UsageError: It names none.
    """
    place, variable = CLOUDS[cloud].PLACE, CLOUDS[cloud].NAMED
    if not (account := os.environ.get(variable)):
        raise UsageError(f"target 'cloud' changes a real {place}: name the one you mean with {variable}=<{place} id>")
    return account
