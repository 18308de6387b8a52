"""What Fargate does for a task with the permissions of its execution role: read secrets, pull images, write logs.

Every step is a real call through the gateway, from where the task is: first its network has to lead there, then the role's policies
have to allow it. What goes wrong is worded as ECS words it in `stoppedReason`.
"""

import base64
import json
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import requests
from botocore.exceptions import BotoCoreError, ClientError

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.images import Registry, RegistryError
from ragonotebooks.sandbox.aws import calls, ecr_registry, identity, reach
from ragonotebooks.sandbox.aws.ecs_model import Task, now
from ragonotebooks.sandbox.context import Context, Place
from ragonotebooks.sandbox.parts.task import ImageStore, Unpacked

SERVICE: Final = "ecs-tasks.amazonaws.com"
_SECRETS: Final = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
)
_LOGGER: Final = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
    "failed to create Cloudwatch log stream: "
)
_RENEW_BEFORE: Final = timedelta(minutes=5)
_IMAGE: Final = re.compile(
    r"(?P<host>[^/]+\.[^/]+)/(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_SECRET_ARN: Final = re.compile(
    r"(?P<secret>arn:aws:secretsmanager:[^:]+:\d+:secret:[^:]+)"
    r"(?::(?P<key>[^:]*):(?P<stage>[^:]*):(?P<version>[^:]*))?"
)
_T = TypeVar("_T")


class StartFailure(Exception):  # noqa: N818 - reads as the fact that it states
    """A task cannot start; the text is its `stoppedReason`."""


class Agent:
    """Acts for one task.

    Args:
        context: The daemon's shared parts.
        images: Where images are unpacked.
        task: The task.
        place: Where it is in the network.
    """

    def __init__(self, context: Context, images: ImageStore, task: Task, place: Place) -> None:
        self._context, self._images, self._task, self._place = context, images, task, place
        self._credentials: dict[str, str] = {}
        self._lock = threading.Lock()

    def secret(self, value_from: str) -> str:
        """Return what a secret of a container definition stands for: the ARN of a secret, with the JSON key, stage and version that
        may follow it, or the name or ARN of a parameter.

        Raises:
            StartFailure: It cannot be had.
        """
        if value_from.startswith("arn:aws:secretsmanager:"):
            return self._from_secrets_manager(value_from)
        name = value_from.partition(":parameter")[2] if value_from.startswith("arn:") else value_from
        region = value_from.split(":")[3] if value_from.startswith("arn:") else self._task.region
        problem = _SECRETS + "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "

        def get() -> str:
            found = self._ask("ssm", region, "GetParameters", Names=[name], WithDecryption=True)
            if not found["Parameters"]:
                raise StartFailure(f"{problem}invalid ssm parameters: {name}")
            return str(found["Parameters"][0]["Value"])

        return self._call("ssm", region, problem, get)

    def image(self, name: str) -> tuple[str, Unpacked]:
        """Pull an image, unless one with its digest is here, and return its digest and where it lies.

        Raises:
            StartFailure: It cannot be pulled.
        """
        found = _IMAGE.fullmatch(name)
        if found is None:
            problem = f"{name} names no registry, and the sandbox plays no Docker Hub: push the image to ECR"
            raise StartFailure(f"CannotPullContainerError: {problem}")
        registry = self._registry(found["host"])
        reference = found["digest"] or found["tag"] or "latest"
        try:
            self._require_network(
                found["host"], "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
            )
            digest = registry.manifest(found["repository"], reference).digest
            if here := self._images.find(digest):
                return digest, here
            return digest, self._images.add(digest, registry.pull(found["repository"], digest))
        except (RagonotebooksError, requests.RequestException) as error:
            raise StartFailure(_pull_problem(name, error)) from error

    def open_log(self, options: dict[str, str], container: str) -> Callable[[list[dict[str, Any]]], None]:
        """Create the log stream of a container and return what sends events to it.

        Raises:
            StartFailure: The log group is not there, or cannot be written to.
        """
        region, group = options["awslogs-region"], options["awslogs-group"]
        stream = f"{options['awslogs-stream-prefix']}/{container}/{self._task.id}"

        def create() -> None:
            if options.get("awslogs-create-group", "").lower() == "true":
                _unless_it_exists(self._ask, "logs", region, "CreateLogGroup", logGroupName=group)
            _unless_it_exists(self._ask, "logs", region, "CreateLogStream", logGroupName=group, logStreamName=stream)

        self._call("logs", region, _LOGGER, create)

        def put(events: list[dict[str, Any]]) -> None:
            self._ask("logs", region, "PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events)

        return put

    def _from_secrets_manager(self, value_from: str) -> str:
        problem = _SECRETS + "unable to retrieve secret from asm: service call has been retried 1 time(s): "
        found = _SECRET_ARN.fullmatch(value_from)
        if found is None:
            raise StartFailure(f"{problem}invalid secret ARN {value_from}")
        region = found["secret"].split(":")[3]
        chosen = {"VersionStage": found["stage"], "VersionId": found["version"]}
        problem += f"failed to fetch secret {found['secret']} from secrets manager: "

        def get() -> str:
            wanted = {name: value for name, value in chosen.items() if value}
            answer = self._ask("secretsmanager", region, "GetSecretValue", SecretId=found["secret"], **wanted)
            return str(answer["SecretString"])

        text = self._call("secretsmanager", region, problem, get)
        return _json_key(text, found["key"], problem) if found["key"] else text

    def _registry(self, host: str) -> Registry:
        """Return the registry that an image names, logged in to with the execution role when it is one of ECR."""
        session = requests.Session()
        session.trust_env, session.verify = False, str(self._context.authority.bundle)
        session.proxies = {"https": f"http://127.0.0.1:{self._context.state.port}"}
        private = ecr_registry.HOST.fullmatch(host)
        if private is None:
            return Registry(host, session=session)
        region = private["region"]
        problem = _SECRETS + "unable to retrieve ecr registry auth: service call has been retried 3 time(s): "

        def get() -> str:
            data = self._ask("ecr", region, "GetAuthorizationToken")["authorizationData"][0]
            return base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]

        password = self._call("ecr", region, problem, get)
        # ECR keeps layers in S3
        self._require_network(f"s3.{region}.amazonaws.com", "CannotPullContainerError: ")
        return Registry(host, "AWS", password, session=session)

    def _call(self, service: str, region: str, problem: str, call: Callable[[], _T]) -> _T:
        self._require_network(calls.host_of(service, region), problem)
        try:
            return call()
        except (ClientError, BotoCoreError, RagonotebooksError) as error:
            raise StartFailure(problem + _text(error)) from error

    def _require_network(self, host: str, problem: str) -> None:
        if why := reach.reaches_host(self._context, self._place, self._task.region, host):
            raise StartFailure(
                f'{problem}RequestError: send request failed caused by: Post "https://{host}/": dial tcp {host}:443: i/o timeout. '
                f"Please check your task network configuration: {why}."
            )

    def _ask(self, service: str, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
        with self._lock:
            if not self._credentials or datetime.fromisoformat(self._credentials["Expiration"]) - _RENEW_BEFORE < now():
                self._credentials = self._assume()
        return calls.call(self._context.state.port, self._credentials, service, region, operation, **parameters)

    def _assume(self) -> dict[str, str]:
        role = self._task.execution_role
        if role is None:
            raise RagonotebooksError("the task definition names no execution role")
        with self._context.lock:
            return identity.assume_role_for_service(role, SERVICE, self._task.id)


def _unless_it_exists(create: Callable[..., Any], *operation: str, **names: str) -> None:
    try:
        create(*operation, **names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _json_key(text: str, key: str, problem: str) -> str:
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        raise StartFailure(f"{problem}retrieved secret from Secrets Manager did not contain json key {key}") from None
    return value if isinstance(value, str) else json.dumps(value)


def _text(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return str(error)


def _pull_problem(name: str, error: Exception) -> str:
    prefix = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref"
    if isinstance(error, RegistryError):
        if error.code == "MANIFEST_UNKNOWN":
            return f"{prefix} {name}: {name}: not found"
        return f"{prefix} {name}: {error.code}: {error}"
    return f"CannotPullContainerError: {name}: {error}"
