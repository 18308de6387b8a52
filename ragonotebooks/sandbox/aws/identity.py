"""Who calls: the operator, IAM users by their keys, and sessions of roles; each with the policies it carries.

Users, roles and sessions are moto's own, so what a lesson creates with IAM and STS is what is asked here.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.sts.models import AssumedRole, sts_backends

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws.patterns import Context
from ragonotebooks.sandbox.aws.policy import Policies, Principals, evaluate

OPERATOR_NAME = "operator"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_ADMINISTRATOR = {
    "Path": "/",
    "DefaultVersionId": "v1",
    "Document": _EVERYTHING,
    "CreateDate": "2015-02-06T18:39:46+00:00",
    "UpdateDate": "2015-02-06T18:39:46+00:00",
}


@dataclass(frozen=True, slots=True)
class Operator:
    """The administrator of a sandbox, the IAM user `operator`.

    Attributes:
        account: The account id, 12 digits.
        access_key: 20 capital letters and digits, `AKIA` first.
        secret_key: Its secret.
    """

    account: str
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose key is known.

    Attributes:
        arn: As `sts get-caller-identity` names it.
        account: The account id.
        secret: The secret of the key, to check signatures with.
        token: The session token that has to come with the key; empty for users.
        expires: When the session ends, UTC; None for users.
        user_id: The unique id, with the session's name for a session.
        holder: moto's user or role, whose policies count.
        session_policy: The policy that the session was opened with.
    """

    arn: str
    account: str
    secret: str
    token: str
    expires: datetime | None
    user_id: str
    holder: Any
    session_policy: str | None = None

    @property
    def principals(self) -> Principals:
        """The names by which resource policies know this caller."""
        account = f"AWS:arn:aws:iam::{self.account}:root"
        lasting = {f"AWS:{self.holder.arn}"} if self.token else set()
        return Principals(frozenset({f"AWS:{self.arn}"}), frozenset(lasting), frozenset({account}))

    def policies(self, resource: list[str]) -> Policies:
        """Return all policies for a call on a resource that has the policies `resource`."""
        return replace(_policies(self.account, self.holder), session=self.session_policy, resource=resource)

    def context(self) -> dict[str, str | list[str] | None]:
        """The condition keys that tell about the caller."""
        tags = getattr(self.holder, "tags", None) or {}
        pairs = tags.items() if isinstance(tags, dict) else ((tag["Key"], tag["Value"]) for tag in tags)
        return {
            "aws:PrincipalArn": self.holder.arn,
            "aws:PrincipalAccount": self.account,
            "aws:PrincipalType": "AssumedRole" if self.token else "User",
            "aws:userid": self.user_id,
            "aws:username": None if self.token else self.holder.name,
            **{f"aws:PrincipalTag/{name}": _tag_value(value) for name, value in pairs},
        }


def find_caller(access_key: str, operator: Operator) -> Caller | None:
    """Return whose key this is, None when it is nobody's or switched off. The operator's is always known."""
    if access_key == operator.access_key:
        ensure_operator(operator)
    iam = iam_backends[operator.account]["aws"]
    key = iam.access_keys.get(access_key)
    if key is None or key.status != "Active":
        return None
    if key.user_name is not None:
        user = iam.users.get(key.user_name)
        if user is None or key not in user.access_keys:
            return None
        return Caller(user.arn, user.account_id, key.secret_access_key, "", None, user.id, user)
    session = _session(operator.account, access_key)
    return _session_caller(session) if session else None


def ensure_operator(operator: Operator) -> None:
    """Create the IAM user `operator` with its key and AdministratorAccess, unless it is there."""
    iam = iam_backends[operator.account]["aws"]
    if OPERATOR_NAME in iam.users and operator.access_key in iam.access_keys:
        return
    user = iam.users.get(OPERATOR_NAME) or iam.create_user("us-east-1", OPERATOR_NAME)
    key = user.create_access_key(prefix="AKIA")
    key.access_key_id, key.secret_access_key = operator.access_key, operator.secret_key
    iam.access_keys[operator.access_key] = key
    _administrator(operator.account).attach_to(user)


def limit_operator(operator: Operator, documents: list[dict[str, Any]]) -> None:
    """Give the operator these policies in place of all that it has; raises moto's error for one that is malformed."""
    ensure_operator(operator)
    iam = iam_backends[operator.account]["aws"]
    user = iam.users[OPERATOR_NAME]
    for policy in list(user.managed_policies.values()):
        policy.detach_from(user)
    for name in list(user.policies):
        iam.delete_user_policy(user.name, name)
    for number, document in enumerate(documents, 1):
        iam.put_user_policy(user.name, f"rights-{number}", json.dumps(document))


def assume_role_for_service(role_arn: str, service: str, session_name: str) -> dict[str, str]:
    """Open a session of a role on behalf of an AWS service, as ECS does for a task.

    Returns `AccessKeyId`, `SecretAccessKey`, `Token`, `Expiration` (ISO 8601) and `RoleArn`, the form in which a
    container's credentials endpoint answers. Raises RagonotebooksError when the role does not exist or its trust policy
    does not name `service`, such as `ecs-tasks.amazonaws.com`.
    """
    account = role_arn.split(":")[4]
    role = next((role for role in iam_backends[account]["aws"].roles.values() if role.arn == role_arn), None)
    if role is None:
        raise RagonotebooksError(f"the role {role_arn} does not exist: create it before something runs with it")
    trust = [role.assume_role_policy_document]
    context = Context({"aws:SourceAccount": account})
    if not evaluate(trust, "sts:AssumeRole", role_arn, context, frozenset({f"Service:{service}"})).allowed:
        raise RagonotebooksError(f"{service} may not assume the role {role_arn}: name it in the role's trust policy")
    session = sts_backends[account]["aws"].assume_role("us-east-1", session_name[:64], role_arn, "", 6 * 3600, "")
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "Token": session.session_token,
        "Expiration": session.expiration.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RoleArn": role_arn,
    }


def has_ended(caller: Caller) -> bool:
    """Whether the caller's session is over."""
    return caller.expires is not None and utcnow() > caller.expires


def _session(account: str, access_key: str) -> AssumedRole | None:
    session: AssumedRole | None = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
    return session


def _session_caller(session: AssumedRole) -> Caller | None:
    """A session lives no longer than its role."""
    role = next((r for r in iam_backends[session.account_id]["aws"].roles.values() if r.arn == session.role_arn), None)
    if role is None:
        return None
    return Caller(
        arn=session.arn,
        account=session.account_id,
        secret=session.secret_access_key,
        token=session.session_token,
        expires=session.expiration,
        user_id=session.user_id,
        holder=role,
        session_policy=session.policy or None,
    )


def policies_of(arn: str) -> Policies | None:
    """Return the policies of the user or role that has this ARN, None when there is none."""
    account = arn.split(":")[4]
    iam = iam_backends[account]["aws"]
    holders: list[Any] = [*iam.users.values(), *iam.roles.values()]
    holder = next((one for one in holders if one.arn == arn), None)
    return _policies(account, holder) if holder else None


def _policies(account: str, holder: Any) -> Policies:
    boundary = getattr(holder, "permissions_boundary_arn", None)
    return Policies(_documents(account, holder), _managed(account, boundary) if boundary else None)


def _documents(account: str, holder: Any) -> list[str]:
    """The identity policies of a user or role, its groups' among them."""
    groups = [group for group in iam_backends[account]["aws"].groups.values() if holder in group.users]
    return [
        document
        for one in (holder, *groups)
        for document in (*map(_text, one.policies.values()), *map(_default_version, one.managed_policies.values()))
    ]


def _managed(account: str, arn: str) -> str:
    """A boundary that names no policy lets nothing through."""
    policy = iam_backends[account]["aws"].managed_policies.get(arn)
    return _default_version(policy) if policy else json.dumps({"Statement": []})


def _default_version(policy: Any) -> str:
    return _text(
        next(version.document for version in policy.versions if version.version_id == policy.default_version_id)
    )


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _tag_value(value: Any) -> str:
    return value["Value"] if isinstance(value, dict) else str(value)


def _administrator(account: str) -> Any:
    return AWSManagedPolicy.from_data("AdministratorAccess", account, "us-east-1", _ADMINISTRATOR)
