"""Cleaning up a project of Google Cloud: what has labels is found by them, the rest by its description and name.

APIs that were enabled stay enabled: that is the project's, and costs nothing.
"""

from functools import cache
from typing import Any, Final

from google.auth.exceptions import GoogleAuthError
from requests import RequestException

from ragonotebooks.cleanup.gcp.making import making
from ragonotebooks.cleanup.gcp.order import DATA, ORDER
from ragonotebooks.cleanup.gcp.rest import Api, ApiError
from ragonotebooks.cleanup.kind import Account, Refusal

__all__ = ["DATA", "ORDER", "account"]

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
#: Statuses and codes of what passes by itself when what holds a resource has gone, or when it is asked for again.
_PASSING: Final = frozenset({409, 412, 429, 503, "ABORTED", "FAILED_PRECONDITION"})
_PASSING_REASONS: Final = frozenset({"resourceInUseByAnotherResource", "resourceNotReady"})
#: What a sandbox does not play, and APIs that the project does not use.
_NOTHING_THERE: Final = frozenset({"UNSUPPORTED_BY_SANDBOX", "SERVICE_DISABLED"})


def account(project: str, region: str) -> Account:
    """A project, by the credentials that the environment names.

    Args:
        project: The project's id.
        region: Where things are looked for that are in a region.
    """
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    session = AuthorizedSession(credentials)

    @cache
    def client(service: str) -> Any:
        return Api(session, service, project, region)

    errors = (ApiError, GoogleAuthError, RequestException)
    return Account(client, ORDER, errors, _read, lambda found: making(client("logging"), found))


def _read(error: Exception) -> Refusal:
    if not isinstance(error, ApiError):
        return Refusal(str(error))
    passing = bool({error.status, error.code} & _PASSING or error.reasons & _PASSING_REASONS)
    why = f"{error.code}: {error}" if error.code else str(error)
    return Refusal(why, passing, bool(error.reasons & _NOTHING_THERE))
