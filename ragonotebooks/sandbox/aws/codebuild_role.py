"""What CodeBuild does for a build with the permissions of its service role: fetch source and secrets, write logs, store artifacts.

Each is a real call through the gateway, so the role's policies decide.
"""

import json
import secrets as tokens
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws import calls, identity
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.local import Local
from ragonotebooks.sandbox.parts import archive

SERVICE: Final = "codebuild.amazonaws.com"
_PATH: Final = "/build-credentials/"
FAILURES: Final = (ClientError, BotoCoreError, RagonotebooksError, ValueError, KeyError)


class Credentials:
    """Serves builds the credentials of their roles, at addresses that cannot be guessed."""

    def __init__(self, context: Context, local: Local) -> None:
        self._context = context
        self._roles: dict[str, tuple[str, str, str]] = {}
        local.serve(_PATH, self._answer)

    def open(self, role: str, session: str) -> tuple[str, dict[str, str]]:
        """Serve a build from now on; return the key to close it with, and the variables that lead to its credentials."""
        key, token = tokens.token_urlsafe(24), tokens.token_urlsafe(24)
        self._roles[key] = (role, session, token)
        url = f"http://127.0.0.1:{self._context.state.port}{_PATH}{key}"
        return key, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}

    def close(self, key: str) -> None:
        """Serve it no more."""
        self._roles.pop(key, None)

    def _answer(self, environ: dict[str, Any]) -> tuple[str, object]:
        found = self._roles.get(environ["PATH_INFO"].removeprefix(_PATH))
        if found is None:
            return "404 Not Found", {"message": "there is no such build"}
        role, session, token = found
        if not tokens.compare_digest(environ.get("HTTP_AUTHORIZATION", ""), token):
            return "401 Unauthorized", {"message": "the authorization token is wrong"}
        with self._context.lock:
            return "200 OK", identity.assume_role_for_service(role, SERVICE, session)


class Role:
    """Acts for one build.

    Args:
        context: The daemon's shared parts.
        arn: The service role.
        region: Where the build runs.
        session: The name of its session.
    """

    def __init__(self, context: Context, arn: str, region: str, session: str) -> None:
        self._context, self._arn, self._region, self._session = context, arn, region, session

    def open_log(self, group: str, stream: str) -> Callable[[list[dict[str, Any]]], None]:
        """Create a log stream, and its group where it is missing, and return what sends events to it."""
        names = {"logGroupName": group}
        for operation in ("CreateLogGroup", "CreateLogStream"):
            try:
                self._ask("logs", operation, **names)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                    raise
            names["logStreamName"] = stream

        def put(events: list[dict[str, Any]]) -> None:
            self._ask("logs", "PutLogEvents", **names, logEvents=events)

        return put

    def fetch(self, location: str, version: str | None, folder: Path) -> str | None:
        """Unpack the ZIP file at `bucket/key` into a folder, and return the version of the object."""
        bucket, _, key = location.partition("/")
        wanted = {"VersionId": version} if version else {}
        answer = self._s3.get_object(Bucket=bucket, Key=key, **wanted)
        archive.unzip(answer["Body"].read(), folder)
        found: str | None = answer.get("VersionId")
        return found

    def store(self, bucket: str, key: str, content: bytes) -> None:
        """Store an artifact."""
        self._s3.put_object(Bucket=bucket, Key=key, Body=content)

    def parameter(self, name: str) -> str:
        """Return the value of a parameter of Systems Manager."""
        return str(self._ask("ssm", "GetParameter", Name=name, WithDecryption=True)["Parameter"]["Value"])

    def secret(self, reference: str) -> str:
        """Return what `secret:json-key:stage:version` stands for; the secret may be an ARN."""
        parts = reference.split(":")
        size = 7 if reference.startswith("arn:") else 1
        name, (key, stage, version) = ":".join(parts[:size]), (*parts[size:], "", "", "")[:3]
        chosen = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
        text = str(self._ask("secretsmanager", "GetSecretValue", SecretId=name, **chosen)["SecretString"])
        return str(json.loads(text)[key]) if key else text

    @cached_property
    def _credentials(self) -> dict[str, str]:
        with self._context.lock:
            return identity.assume_role_for_service(self._arn, SERVICE, self._session)

    def _ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return calls.call(self._context.state.port, self._credentials, service, self._region, operation, **parameters)

    @cached_property
    def _s3(self) -> Any:
        got = self._credentials
        return _session().create_client(
            "s3",
            region_name=self._region,
            aws_access_key_id=got["AccessKeyId"],
            aws_secret_access_key=got["SecretAccessKey"],
            aws_session_token=got["Token"],
            verify=str(self._context.authority.bundle),
            config=Config(
                proxies={"https": f"http://127.0.0.1:{self._context.state.port}"}, retries={"total_max_attempts": 2}
            ),
        )


@cache
def _session() -> Session:
    """One session for all clients: it keeps what it read of the services."""
    return Session()
