"""Which resource, as an ARN, a call is about: templates that the call's parameters fill.

Source: AWS service authorization reference, read 2026-11. A call that no template fits is about `*`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from moto.backends import get_backend

from ragonotebooks.sandbox.ledger import Call

Parameters = Mapping[str, Any]

# The first template of a service whose parameters are all there is the resource. `{x:y}` is parameter x, or y without
# it; a parameter that is an ARN already is the resource itself.
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "cloudwatch": ("arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",),
    "codebuild": (
        "arn:aws:codebuild:{region}:{account}:project/{projectName}",
        "arn:aws:codebuild:{region}:{account}:project/{name}",
        "arn:aws:codebuild:{region}:{account}:project/{id}",
    ),
    "dynamodb": ("arn:aws:dynamodb:{region}:{account}:table/{TableName}",),
    "ec2": (
        "arn:aws:ec2:{region}:{account}:security-group/{GroupId}",
        "arn:aws:ec2:{region}:{account}:subnet/{SubnetId}",
        "arn:aws:ec2:{region}:{account}:route-table/{RouteTableId}",
        "arn:aws:ec2:{region}:{account}:internet-gateway/{InternetGatewayId}",
        "arn:aws:ec2:{region}:{account}:natgateway/{NatGatewayId}",
        "arn:aws:ec2:{region}:{account}:vpc-endpoint/{VpcEndpointId}",
        "arn:aws:ec2:{region}:{account}:vpc/{VpcId}",
    ),
    "ecr": ("arn:aws:ecr:{region}:{account}:repository/{repositoryName}",),
    "ecs": (
        "arn:aws:ecs:{region}:{account}:service/{cluster:default}/{service}",
        "arn:aws:ecs:{region}:{account}:service/{cluster:default}/{serviceName}",
        "{taskDefinition}",
        "arn:aws:ecs:{region}:{account}:task/{cluster:default}/{task}",
        "arn:aws:ecs:{region}:{account}:task-definition/{family}",
        "arn:aws:ecs:{region}:{account}:cluster/{clusterName}",
        "arn:aws:ecs:{region}:{account}:cluster/{cluster}",
        "{resourceArn}",
    ),
    "elasticache": (
        "arn:aws:elasticache:{region}:{account}:replicationgroup:{ReplicationGroupId}",
        "arn:aws:elasticache:{region}:{account}:cluster:{CacheClusterId}",
        "arn:aws:elasticache:{region}:{account}:serverlesscache:{ServerlessCacheName}",
        "arn:aws:elasticache:{region}:{account}:subnetgroup:{CacheSubnetGroupName}",
        "arn:aws:elasticache:{region}:{account}:parametergroup:{CacheParameterGroupName}",
        "{ResourceName}",
    ),
    "events": ("arn:aws:events:{region}:{account}:rule/{Rule}", "arn:aws:events:{region}:{account}:rule/{Name}"),
    "iam": (
        "arn:aws:iam::{account}:role/{RoleName}",
        "arn:aws:iam::{account}:user/{UserName}",
        "arn:aws:iam::{account}:group/{GroupName}",
        "arn:aws:iam::{account}:policy/{PolicyName}",
        "arn:aws:iam::{account}:instance-profile/{InstanceProfileName}",
        "{PolicySourceArn}",
        "{PolicyArn}",
    ),
    "kms": ("{KeyId}", "{TargetKeyId}", "{ResourceArn}"),
    "logs": (
        "arn:aws:logs:{region}:{account}:log-group:{logGroupName}:log-stream:{logStreamName:}",
        "{logGroupIdentifier}",
        "{resourceArn}",
    ),
    "rds": (
        "arn:aws:rds:{region}:{account}:snapshot:{DBSnapshotIdentifier}",
        "arn:aws:rds:{region}:{account}:db:{DBInstanceIdentifier}",
        "arn:aws:rds:{region}:{account}:cluster:{DBClusterIdentifier}",
        "arn:aws:rds:{region}:{account}:subgrp:{DBSubnetGroupName}",
        "arn:aws:rds:{region}:{account}:pg:{DBParameterGroupName}",
        "{ResourceName}",
    ),
    "s3": ("arn:aws:s3:::{Bucket}/{Key}", "arn:aws:s3:::{Bucket}", "arn:aws:s3:::*"),
    "secretsmanager": ("{SecretId}", "arn:aws:secretsmanager:{region}:{account}:secret:{Name}"),
    "sns": ("{TopicArn}", "arn:aws:sns:{region}:{account}:{Name}"),
    "sqs": ("arn:aws:sqs:{region}:{account}:{QueueName}", "arn:aws:sqs:{region}:{account}:{QueueUrl}"),
    "ssm": ("arn:aws:ssm:{region}:{account}:parameter/{Name}", "arn:aws:ssm:{region}:{account}:parameter/{Path}"),
    "states": ("{stateMachineArn}", "{executionArn}"),
    "sts": ("{RoleArn}",),
}
_SLOT = re.compile(r"\{(\w+)(?::(\w*))?\}")


def resources_of(prefix: str, parameters: Parameters, account: str, region: str) -> list[str]:
    """Return the ARNs that a call is about, at least one."""
    many = _MANY.get(prefix)
    if many and (found := many(parameters)):
        return [arn for one in found for arn in resources_of(prefix, {**parameters, **one}, account, region)]
    known = {"account": account, "region": region, **{k: v for k, v in parameters.items() if isinstance(v, str)}}
    finder = _FINDERS.get(prefix)
    for template in _TEMPLATES.get(prefix, ()):
        if (arn := _fill(template, known)) is not None:
            return [finder(arn, known) if finder else arn]
    return ["*"]


def made_by(call: Call, answer: bytes, account: str) -> str | None:
    """Return the ARN of what a call has made where its answer alone names it: a VPC. Other parts of EC2 are made in one."""
    found = (
        re.search(rb"<vpcId>([^<]+)</vpcId>", answer) if (call.service, call.action) == ("ec2", "CreateVpc") else None
    )
    return f"arn:aws:ec2:{call.region}:{account}:vpc/{found[1].decode()}" if found else None


def _fill(template: str, known: Mapping[str, str]) -> str | None:
    slots = {name: known.get(name) or default for name, default in _SLOT.findall(template)}
    for name, value in slots.items():
        if value.startswith("arn:") and name != "cluster":
            return value
        if not value and f"{{{name}:" not in template:
            return None
    return _SLOT.sub(lambda slot: _short(slot[1], slots[slot[1]]), template)


def _short(name: str, value: str) -> str:
    """A cluster may be named by its ARN, a queue by its URL; an SSM parameter's name begins with a slash that its ARN does
    not repeat.
    """
    if name in ("cluster", "QueueUrl"):
        return value.rpartition("/")[2]
    return value.lstrip("/") if name in ("Name", "Path") else value


def _secret(arn: str, known: Mapping[str, str]) -> str:
    """A secret's ARN ends with six random characters, which a call by name does not know."""
    secrets = get_backend("secretsmanager")[known["account"]][known["region"]].secrets
    name = known.get("SecretId") or known.get("Name", "")
    if name in secrets:
        return str(secrets[name].arn)
    prefix = f"arn:aws:secretsmanager:{known['region']}:{known['account']}:secret:"
    return arn if arn.startswith("arn:") else prefix + arn


def _key(arn: str, known: Mapping[str, str]) -> str:
    """A KMS key may be named by its id, its alias, or the ARN of either."""
    backend = get_backend("kms")[known["account"]][known["region"]]
    name = backend.get_alias_name(arn)
    key_id = backend.get_key_id_from_alias(name) if name.startswith("alias/") else backend.get_key_id(name)
    if key_id in backend.keys:
        return str(backend.keys[key_id].arn)
    return arn if arn.startswith("arn:") else f"arn:aws:kms:{known['region']}:{known['account']}:key/{arn}"


def _principal(arn: str, known: Mapping[str, str]) -> str:
    """A role's or a user's ARN holds its path, which a call by name does not know."""
    backend = get_backend("iam")[known["account"]]["aws"]
    for role in backend.roles.values():
        if role.name == known.get("RoleName"):
            return str(role.arn)
    user = backend.users.get(known.get("UserName", ""))
    return str(user.arn) if user and "RoleName" not in known else arn


def _task_definition(arn: str, known: Mapping[str, str]) -> str:
    """A task definition's ARN ends with its revision, which a call by family does not know."""
    if arn.startswith("arn:"):
        return arn
    backend = get_backend("ecs")[known["account"]][known["region"]]
    latest = backend.describe_task_definition(arn) if arn.partition(":")[0] in backend.task_definitions else None
    return str(latest.arn) if latest else f"arn:aws:ecs:{known['region']}:{known['account']}:task-definition/{arn}"


def _project(arn: str, known: Mapping[str, str]) -> str:
    """A build's id or ARN is its project's, a colon and its own."""
    return ":".join(arn.split(":")[:6]).replace(":build/", ":project/")


_FINDERS: dict[str, Callable[[str, Mapping[str, str]], str]] = {
    "codebuild": _project,
    "ecs": _task_definition,
    "iam": _principal,
    "kms": _key,
    "secretsmanager": _secret,
}
# calls about several resources: the parameters that each of them stands for
_MANY: dict[str, Callable[[Parameters], list[dict[str, Any]]]] = {
    "codebuild": lambda parameters: [
        *({"id": build, "ids": None} for build in parameters.get("ids") or ()),
        *({"name": name, "names": None} for name in parameters.get("names") or ()),
    ],
    "ecs": lambda parameters: [
        *({"task": task, "tasks": None, "services": None} for task in parameters.get("tasks") or ()),
        *({"service": service, "tasks": None, "services": None} for service in parameters.get("services") or ()),
    ],
    "s3": lambda parameters: [
        {"Key": entry["Key"], "Delete": None} for entry in (parameters.get("Delete") or {}).get("Objects", ())
    ],
    "ssm": lambda parameters: [{"Name": name, "Names": None} for name in parameters.get("Names") or ()],
}
