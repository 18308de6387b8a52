"""Names of resources as another account will have them: what the cloud makes up is a wildcard, account and project stand open."""

import re
from typing import Final

_MADE_UP: Final = re.compile(r"(?=[0-9a-f]*[0-9])[0-9a-f]{8,}[^/:]*")
"""From eight hexadecimal digits on: the ids of `vpc-0a1b2c3d4e5f67890`, of keys and tasks, times in the names of snapshots."""
_SUFFIX: Final = re.compile(r"-[A-Za-z0-9]{6}$")
"""What Secrets Manager puts behind the name of a secret; a name such as `my-secret` may end like it."""


def arns(arn: str, account: str) -> list[str]:
    """The ARN as patterns that policies may hold in any account; several where the resource has an id only once it exists."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return [arn]
    service, name = parts[2], parts[5].replace(account, "${aws:PrincipalAccount}")
    head = ":".join([*parts[:4], parts[4].replace(account, "*")])
    return [f"{head}:{one}" for one in _NAMES.get(service, _plain)(name)]


def _plain(name: str) -> list[str]:
    return [_MADE_UP.sub("*", name)]


def _object(name: str) -> list[str]:
    """Objects of a bucket stand for all in it: their keys are the data's business."""
    bucket, slash, _ = name.partition("/")
    return [f"{bucket}/*" if slash else bucket]


def _secret(name: str) -> list[str]:
    suffix = _SUFFIX.search(name)
    with_suffix = [_SUFFIX.sub("-??????", name)] if suffix else []
    return with_suffix if suffix and not suffix[0].islower() else [*with_suffix, name, f"{name}-??????"]


def _definition(name: str) -> list[str]:
    if not name.startswith("task-definition/"):
        return _plain(name)
    family = name.partition(":")[0]
    return [family, f"{family}:*"]


def _log_group(name: str) -> list[str]:
    """A group, and the streams in it."""
    kind, _, rest = name.partition(":")
    return [f"{kind}:{rest.partition(':')[0]}", f"{kind}:{rest.partition(':')[0]}:*"]


_NAMES: Final = {"ecs": _definition, "logs": _log_group, "s3": _object, "secretsmanager": _secret}


def path(name: str, project: str, number: str) -> str:
    """A full name of Google Cloud as any project has it: `projects/PROJECT/secrets/api`."""
    parts = ["PROJECT" if part in (project, number) else part.replace(project, "PROJECT") for part in name.split("/")]
    there = "/".join(_MADE_UP.sub("*", part) for part in parts)
    return re.sub(r"(/buckets/[^/]+/objects/).+", r"\1*", there)
