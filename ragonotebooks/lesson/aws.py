"""AWS as `connect` sees it: its variables, and whom the clients of this kernel act as."""

import sys
from typing import Any, Final

from ragonotebooks.errors import RagonotebooksError, UsageError

NAMED: Final = "RAGONOTEBOOKS_ACCOUNT"
"""The environment variable that names the account of the target `cloud`."""

PLACE: Final = "account"


def variables(region: str) -> dict[str, str]:
    """What makes clients of a real account use a region."""
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def forget_clients() -> None:
    """boto3 keeps a default session with the credentials that it saw first."""
    if boto3 := sys.modules.get("boto3"):
        boto3.DEFAULT_SESSION = None  # type: ignore[attr-defined]  # boto3 ships no types


def who_am_i(account: str) -> tuple[str, str]:
    """The account and the ARN of the caller; see `identity.ask`."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer: dict[str, Any] = boto3.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise RagonotebooksError(f"AWS does not know who you are ({error}); check your credentials") from error
    if account not in ("", answer["Account"]):
        raise UsageError(f"your credentials are for account {answer['Account']}, not {account}; nothing was changed")
    return answer["Account"], answer["Arn"]
