"""Google Cloud as `connect` sees it: its variables, and whom the clients of this kernel act as."""

import os
import sys
from typing import Final

from ragonotebooks.errors import RagonotebooksError, UsageError

NAMED: Final = "RAGONOTEBOOKS_PROJECT"
"""The environment variable that names the project of the target `cloud`."""

PLACE: Final = "project"

_SCOPES: Final = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)
# every project has this API enabled, and its owners may ask it; Resource Manager has to be enabled first
_PROJECTS: Final = "https://serviceusage.googleapis.com/v1/projects/{}/services/serviceusage.googleapis.com"
_TOKENS: Final = "https://oauth2.googleapis.com/tokeninfo"


def variables(region: str) -> dict[str, str]:
    """What makes clients of a real project use it; a region is named in every call."""
    named = os.environ.get(NAMED)
    return {"GOOGLE_CLOUD_PROJECT": named} if named else {}


def forget_clients() -> None:
    """Google's clients keep no session, but httplib2, under discovery clients, reads whom to trust when it is imported."""
    if httplib2 := sys.modules.get("httplib2"):
        httplib2.CA_CERTS = httplib2.certs.where()  # type: ignore[attr-defined]  # httplib2 ships no types


def who_am_i(project: str) -> tuple[str, str]:
    """The project's id and the e-mail address of the caller; see `identity.ask`."""
    if not project or project.isdecimal():
        wrong = f"'{project}' is the number of a project" if project else "your credentials are good for many projects"
        raise UsageError(f"{wrong}: name the one you mean with {NAMED}=<project id>, or with --account")
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import AuthorizedSession
    except ImportError:
        raise UsageError("Google's clients are not installed; install them with: pip install -e '.[gcp]'") from None
    try:
        credentials, _ = google.auth.default(scopes=_SCOPES)
        session = AuthorizedSession(credentials)
        answer = session.get(_PROJECTS.format(project), timeout=30)
        caller = session.get(_TOKENS, params={"access_token": credentials.token}, timeout=30)
    except GoogleAuthError as error:
        raise RagonotebooksError(
            f"Google Cloud does not know who you are ({error}); log in with: gcloud auth application-default login"
        ) from error
    if not answer.ok:
        reason = answer.json().get("error", {}).get("message", answer.reason)
        raise UsageError(f"project {project} cannot be read: {reason}; nothing was changed")
    return project, caller.json().get("email", "")
