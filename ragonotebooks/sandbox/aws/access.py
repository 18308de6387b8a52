"""Whether a caller may do what a request asks: the actions on resources it needs, and what policies say to each."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend

from ragonotebooks.sandbox.aws.actions import action_of, handed_by, tagging_of
from ragonotebooks.sandbox.aws.errors import ApiError, unauthenticated
from ragonotebooks.sandbox.aws.identity import Caller
from ragonotebooks.sandbox.aws.incoming import Incoming
from ragonotebooks.sandbox.aws.patterns import Context
from ragonotebooks.sandbox.aws.policy import EXPLICIT_DENY, IDENTITY_BASED, IMPLICIT_DENY, Decision, Policies, decide
from ragonotebooks.sandbox.aws.resources import resources_of
from ragonotebooks.sandbox.aws.s3 import bucket_of, judge_anybody
from ragonotebooks.sandbox.front import OPERATOR_ADDRESS
from ragonotebooks.sandbox.ledger import Need

_ALWAYS_ALLOWED = "sts:GetCallerIdentity"
# for these, identity policies count only where the resource's own policy lets them
_RESOURCE_DECIDES = ("kms:", "sts:AssumeRole")
_COLONS = 5  # of an ARN
_PASSING = ("RegisterTaskDefinition", "RunTask", "CreateService", "UpdateService")


def authorize(incoming: Incoming, resources: list[str], caller: Caller | None, account: str) -> list[Need]:
    """Return which of its own policies' permissions let `caller` (None: anybody) do what is asked with `resources`.

    Raises:
        ApiError: No policy does.
    """
    own = []
    for need in _needs(incoming, resources, account):
        action, resource, more = need
        context = Context({**_context(incoming, caller), **more})
        decision = _judge(action, resource, context, caller, account)
        if not decision.allowed:
            raise _refusal(incoming, caller, action, resource, decision)
        if decision.kind == IDENTITY_BASED:
            own.append(need)
    return own


def resources(incoming: Incoming, account: str) -> list[str]:
    """Return the ARNs that a request is about, `*` when it is about none in particular."""
    return resources_of(incoming.prefix, incoming.parameters, account, incoming.region)


def _needs(incoming: Incoming, resources: list[str], account: str) -> Iterator[Need]:
    """Yield each action that the request needs: its name, the resource, and condition keys of its own."""
    parameters, prefix = incoming.parameters, incoming.prefix
    action = action_of(prefix, incoming.operation, versioned=bool(parameters.get("VersionId")))
    if action == _ALWAYS_ALLOWED:
        return
    for resource in resources:
        yield Need(action, resource, {})
    if source := parameters.get("CopySource"):
        yield Need("s3:GetObject", f"arn:aws:s3:::{str(source).lstrip('/').partition('?')[0]}", {})
    if action == "s3:PutObject" and parameters.get("Tagging"):
        yield Need("s3:PutObjectTagging", resources[0], {})
    if prefix == "ecs" and incoming.operation in _PASSING:
        for role in _passed_roles(parameters, account, incoming.region):
            yield Need("iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
    for role, service in handed_by(prefix, parameters):
        yield Need("iam:PassRole", role, {"iam:PassedToService": service})
    if tagging := tagging_of(prefix, incoming.operation, parameters):
        yield Need(tagging, resources[0], {})


def _passed_roles(parameters: dict[str, Any], account: str, region: str) -> set[str]:
    """The roles that a call hands to ECS tasks: those it names and those of the task definition it names."""
    sources = (parameters, parameters.get("overrides") or {})
    given = {source.get(name) for source in sources for name in ("taskRoleArn", "executionRoleArn")}
    wanted = resources_of("ecs", {"taskDefinition": parameters.get("taskDefinition")}, account, region)
    for revisions in get_backend("ecs")[account][region].task_definitions.values():
        for definition in revisions.values():
            if definition.arn in wanted:
                given |= {definition.task_role_arn, definition.execution_role_arn}
    return {role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}" for role in given if role}


def _judge(action: str, resource: str, context: Context, caller: Caller | None, account: str) -> Decision:
    documents = _policies_of(resource, action, account)
    if caller is not None:
        decides = action.startswith(_RESOURCE_DECIDES) and bool(documents)
        policies = caller.policies(documents)
        return decide(policies, action, resource, context, caller.principals, resource_must_allow=decides)
    decision = decide(Policies(resource=documents), action, resource, context)
    bucket = bucket_of(resource, account)
    if bucket is None or decision.effect == EXPLICIT_DENY:
        return Decision(decision.effect if bucket else IMPLICIT_DENY, kind="resource-based policy")
    return judge_anybody(action, resource, bucket, decision)


def _policies_of(arn: str, action: str, account: str) -> list[str]:
    """Return the policies that are attached to a resource itself; to assume a role, its trust policy."""
    if not arn.startswith("arn:") or arn.count(":") < _COLONS:
        return []
    _, _, service, region, _, name = arn.split(":", 5)
    if service == "s3":
        bucket = bucket_of(arn, account)
        return [bucket.policy.decode()] if bucket and bucket.policy else []
    if service == "kms":
        key = get_backend("kms")[account][region].keys.get(name.removeprefix("key/"))
        return [key.policy] if key else []
    if service == "secretsmanager":
        secrets = get_backend("secretsmanager")[account][region].secrets
        policy = getattr(secrets[arn], "policy", None) if arn in secrets else None
        return [policy] if policy else []
    if action.startswith("sts:"):
        roles = get_backend("iam")[account]["aws"].roles.values()
        return [role.assume_role_policy_document for role in roles if role.arn == arn]
    return []


def _context(incoming: Incoming, caller: Caller | None) -> dict[str, str | list[str] | None]:
    """The condition keys of a request."""
    environ, parameters = incoming.environ, incoming.parameters
    return {
        **(caller.context() if caller else {"aws:PrincipalType": "Anonymous"}),
        **_time(),
        "aws:RequestedRegion": incoming.region,
        "aws:SecureTransport": str(environ.get("wsgi.url_scheme") == "https").lower(),
        "aws:SourceIp": OPERATOR_ADDRESS,
        "aws:UserAgent": environ.get("HTTP_USER_AGENT"),
        **_tags(parameters),
        **(_s3_keys(parameters) if incoming.prefix == "s3" else {}),
        "sts:ExternalId": parameters.get("ExternalId"),
        "sts:RoleSessionName": parameters.get("RoleSessionName"),
        **{f"kms:EncryptionContext:{k}": v for k, v in (parameters.get("EncryptionContext") or {}).items()},
    }


def _time() -> dict[str, str | list[str] | None]:
    now = datetime.now(UTC)
    return {"aws:CurrentTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "aws:EpochTime": str(int(now.timestamp()))}


def _tags(parameters: dict[str, Any]) -> dict[str, str | list[str] | None]:
    """The tags that a request sets, in the spelling of whichever service."""
    tags = parameters.get("Tags") or parameters.get("tags") or []
    if isinstance(tags, dict):
        pairs = dict(tags)
    else:
        pairs = {
            tag.get("Key", tag.get("key", tag.get("TagKey"))): _tag_value(tag) for tag in tags if isinstance(tag, dict)
        }
    return {**{f"aws:RequestTag/{name}": value for name, value in pairs.items()}, "aws:TagKeys": list(pairs)}


def _tag_value(tag: dict[str, Any]) -> str:
    return str(tag.get("Value", tag.get("value", tag.get("TagValue", ""))))


def _s3_keys(parameters: dict[str, Any]) -> dict[str, str | list[str] | None]:
    names = {
        "s3:prefix": "Prefix",
        "s3:delimiter": "Delimiter",
        "s3:VersionId": "VersionId",
        "s3:x-amz-acl": "ACL",
        "s3:x-amz-copy-source": "CopySource",
        "s3:x-amz-server-side-encryption": "ServerSideEncryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
        "s3:x-amz-storage-class": "StorageClass",
    }
    keys: dict[str, str | list[str] | None] = {key: parameters.get(name) for key, name in names.items()}
    if "MaxKeys" in parameters:
        keys["s3:max-keys"] = str(parameters["MaxKeys"])
    return keys


def _refusal(incoming: Incoming, caller: Caller | None, action: str, resource: str, decision: Decision) -> ApiError:
    """Say what AWS says: who may not do what with what, and which kind of policy is the reason."""
    service, protocol = incoming.service, incoming.protocol
    if caller is None:
        return unauthenticated("denied", service, protocol)
    article = "an" if decision.kind.startswith("i") else "a"
    reason = f"because no {decision.kind} allows the {action} action"
    if decision.effect == EXPLICIT_DENY:
        reason = f"with an explicit deny in {article} {decision.kind}"
    where = f' on resource: "{resource}"' if service == "s3" else f" on resource: {resource}"
    message = f"User: {caller.arn} is not authorized to perform: {action}{where} {reason}"
    if protocol == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return unauthenticated("denied", service, protocol, message)
