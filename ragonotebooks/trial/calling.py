"""Makes the API calls that a case declares, as the operator whom the environment names."""

from typing import Any, Final

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.trial.cases import ApiCall

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT: Final = 60  # seconds


def call_aws(call: ApiCall, region: str) -> None:
    """Make a call with boto3.

    Raises:
        RagonotebooksError: It is refused, or AWS has no such call.
    """
    import boto3
    from botocore import xform_name
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.Session(region_name=region).client(call.service)
        getattr(client, xform_name(call.operation))(**call.sent)
    except (BotoCoreError, ClientError, AttributeError) as error:
        raise RagonotebooksError(f"{call.service}:{call.operation} failed, which a case makes: {error}") from error


def call_gcp(call: ApiCall) -> None:
    """Send a request with the operator's token, JSON in and out.

    Raises:
        RagonotebooksError: It is refused.
    """
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    session: Any = AuthorizedSession(credentials)
    answer = session.request(call.operation, call.service, json=call.sent, timeout=_TIMEOUT)
    if not answer.ok:
        raise RagonotebooksError(f"{call.operation} {call.service} failed, which a case makes: {answer.text}")
