"""Brings an event to a target of an EventBridge rule: a queue, a topic, a log group, an ECS task or a CodeBuild build.

As on AWS, a queue, a topic or a log group has to let EventBridge in by its own policy, and for tasks and builds the target names a
role, whose policies hold: the call is a real one. What fails goes to the target's dead-letter queue and is counted in `AWS/Events`.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import ServiceException
from moto.logs.models import logs_backends

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws import calls, cloudwatch, identity, queues, service_access, sns
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.event_targets import check_input, input_of
from ragonotebooks.sandbox.context import Context

SERVICE: Final = "events.amazonaws.com"
_WITH_ROLE: Final = ("ecs", "codebuild")
_FAILURES: Final = (RagonotebooksError, ClientError, BotoCoreError, ServiceException, ValueError)
_RUN_TASK: Final = {
    "LaunchType": "launchType",
    "PlatformVersion": "platformVersion",
    "Group": "group",
    "CapacityProviderStrategy": "capacityProviderStrategy",
    "PropagateTags": "propagateTags",
    "EnableExecuteCommand": "enableExecuteCommand",
}


def check(target: dict[str, Any]) -> None:
    """Raise an ApiError for a target that events would not reach."""
    arn, name = target["Arn"], target["Id"]
    service = arn.split(":")[2] if arn.count(":") > 4 else arn
    if service not in _SENDERS:
        problem = f"targets of {service} are not supported by the sandbox; it has {', '.join(sorted(_SENDERS))}"
        raise ApiError("ValidationException", f"Parameter {arn} is not valid. Reason: {problem}.")
    if service in _WITH_ROLE and not target.get("RoleArn"):
        raise ApiError("ValidationException", f"RoleArn is required for target {name}.")
    if service == "ecs" and not target.get("EcsParameters"):
        raise ApiError("ValidationException", f"EcsParameters is required for target {name}.")
    check_input(target)


class Delivery:
    """Sends events to targets.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def send(self, rule: Any, event: dict[str, Any]) -> None:
        """Send an event to all targets of a rule. The caller holds the lock."""
        self._count(rule, "TriggeredRules")
        for target in list(rule.targets):
            if target["Arn"].split(":")[2] in _WITH_ROLE:
                # calls through the gateway take a thread of their own: whoever holds the lock would wait for itself
                self._context.workers.submit(self._invoke, rule, target, event)
            else:
                self._invoke(rule, target, event)

    def _invoke(self, rule: Any, target: dict[str, Any], event: dict[str, Any]) -> None:
        text = input_of(target, event, rule.arn)
        self._count(rule, "Invocations")
        try:
            _SENDERS[target["Arn"].split(":")[2]](self, rule, target, text)
        except _FAILURES as error:
            what = f"{rule.arn} did not reach {target['Arn']}: {error}"
            print(what, file=sys.stderr, flush=True)  # noqa: T201  # the daemon's log
            self._count(rule, "FailedInvocations")
            if letters := (target.get("DeadLetterConfig") or {}).get("Arn"):
                self._bury(letters, rule, target, text, error)

    def _bury(self, queue: str, rule: Any, target: dict[str, Any], text: str, error: Exception) -> None:
        told = {"RULE_ARN": rule.arn, "TARGET_ARN": target["Arn"], "ERROR_MESSAGE": str(error)}
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
        try:
            queues.of(self._context).send(queue, text, SERVICE, rule.arn, message_attributes=attributes)
        except RagonotebooksError:
            self._count(rule, "InvocationsFailedToBeSentToDlq")

    def _to_queue(self, rule: Any, target: dict[str, Any], text: str) -> None:
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        queues.of(self._context).send(target["Arn"], text, SERVICE, rule.arn, group_id=group)

    def _to_topic(self, rule: Any, target: dict[str, Any], text: str) -> None:
        sns.of(self._context).publish(target["Arn"], text, None, SERVICE, rule.arn)

    def _to_log(self, rule: Any, target: dict[str, Any], text: str) -> None:
        arn = target["Arn"].removesuffix(":*")
        _, _, _, region, account, name = arn.split(":", 5)
        group, stream = name.removeprefix("log-group:"), str(uuid.uuid4())
        with self._context.lock:
            backend = logs_backends[account][region]
            if group not in backend.groups:
                raise RagonotebooksError(f"the log group {group} does not exist")
            policies = [policy.policy_document for policy in backend.resource_policies.values()]
            service_access.require(SERVICE, rule.arn, "logs:PutLogEvents", f"{arn}:log-stream:{stream}", policies)
            backend.create_log_stream(group, stream)
            backend.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": text}])

    def _to_tasks(self, rule: Any, target: dict[str, Any], text: str) -> None:
        wanted, overrides = target["EcsParameters"], json.loads(text)
        request = {name: wanted[key] for key, name in _RUN_TASK.items() if wanted.get(key)}
        if place := (wanted.get("NetworkConfiguration") or {}).get("awsvpcConfiguration"):
            vpc = {name[0].lower() + name[1:]: value for name, value in place.items()}
            request["networkConfiguration"] = {"awsvpcConfiguration": vpc}
        known = {"containerOverrides", "cpu", "memory", "taskRoleArn", "executionRoleArn"}
        if isinstance(overrides, dict) and set(overrides) & known:
            request["overrides"] = {name: value for name, value in overrides.items() if name in known}
        started = self._ask(
            "ecs",
            "RunTask",
            rule,
            target,
            cluster=target["Arn"],
            taskDefinition=wanted["TaskDefinitionArn"],
            count=wanted.get("TaskCount") or 1,
            startedBy=f"events-rule/{rule.name}"[:36],
            tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in wanted.get("Tags") or []],
            **request,
        )
        if started["failures"]:
            raise RagonotebooksError(f"ECS did not start the task: {started['failures'][0].get('reason')}")

    def _to_build(self, rule: Any, target: dict[str, Any], text: str) -> None:
        overrides = json.loads(text) if target.get("Input") or target.get("InputTransformer") else {}
        name = target["Arn"].rpartition("/")[2]
        self._ask("codebuild", "StartBuild", rule, target, projectName=name, **overrides)

    def _ask(
        self, service: str, operation: str, rule: Any, target: dict[str, Any], **parameters: Any
    ) -> dict[str, Any]:
        """Call an operation with the rights of the target's role."""
        with self._context.lock:
            got = identity.assume_role_for_service(target["RoleArn"], SERVICE, rule.name)
        return calls.call(self._context.state.port, got, service, rule.region_name, operation, **parameters)

    def _count(self, rule: Any, name: str) -> None:
        datum = {
            "MetricName": name,
            "Dimensions": [{"Name": "RuleName", "Value": rule.name}],
            "Value": 1,
            "Unit": "Count",
        }
        cloudwatch.of(self._context).put(rule.region_name, "AWS/Events", [datum])


_SENDERS: Final[dict[str, Callable[[Delivery, Any, dict[str, Any], str], None]]] = {
    "sqs": Delivery._to_queue,
    "sns": Delivery._to_topic,
    "logs": Delivery._to_log,
    "ecs": Delivery._to_tasks,
    "codebuild": Delivery._to_build,
}
