"""AWS: EventBridge Scheduler starts a task of ECS on Fargate."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

from ragonotebooks.schedule.job import Job

_EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
"""What lets ECS pull an image out of the account's registry and write logs."""

Call = tuple[str, str, dict[str, Any]]
"""Service and operation as the AWS command line calls them, and what the operation is given."""


def calls(job: Job, subnets: list[str]) -> list[Call]:
    """The calls that set a schedule up, in order.

    The first role is what the runbook may do; its policy is for the operator to give, out of a rehearsal.

    Args:
        job: What is run when.
        subnets: The ids of subnets out of which the task reaches the internet.
    """
    name, family = job.name, f"arn:aws:ecs:{job.region}:{job.account}:task-definition/{job.name}"
    cluster = f"arn:aws:ecs:{job.region}:{job.account}:cluster/{name}"
    logs = {"awslogs-group": f"/{name}", "awslogs-region": job.region, "awslogs-stream-prefix": "run"}
    container = {
        "name": "runbook",
        "image": job.image,
        "entryPoint": job.command[:1],
        "command": job.command[1:],
        "logConfiguration": {"logDriver": "awslogs", "options": logs},
    }
    definition = {
        "family": name,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "1024",
        "memory": "2048",
        "taskRoleArn": _role(job, "run"),
        "executionRoleArn": _role(job, "execute"),
        "containerDefinitions": [container],
    }
    network = {"Subnets": subnets, "AssignPublicIp": "ENABLED"}
    target = {
        "Arn": cluster,
        "RoleArn": _role(job, "schedule"),
        "EcsParameters": {
            "TaskDefinitionArn": family,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": network},
        },
    }
    schedule = {
        "Name": name,
        "ScheduleExpression": job.cron.eventbridge,
        "ScheduleExpressionTimezone": job.zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    return [
        _made(job, "run", "ecs-tasks"),
        _made(job, "execute", "ecs-tasks"),
        ("iam", "attach-role-policy", {"RoleName": f"{name}-execute", "PolicyArn": _EXECUTION}),
        _made(job, "schedule", "scheduler"),
        ("iam", "put-role-policy", _starting(job, family, cluster)),
        ("logs", "create-log-group", {"logGroupName": f"/{name}"}),
        ("ecs", "create-cluster", {"clusterName": name}),
        ("ecs", "register-task-definition", definition),
        ("scheduler", "create-schedule", schedule),
    ]


def script(job: Job, subnets: list[str]) -> Iterator[str]:
    """The lines of a shell script that makes the calls."""
    yield "# What the runbook may do: policy.json, or several, is what this finds out in a sandbox and leaves in its folder:"
    yield f"#   {shlex.join(['ragonotebooks', 'rehearse', job.runbook.name, '--prove'])}"
    for place, (service, operation, given) in enumerate(calls(job, subnets)):
        region = [] if service == "iam" else ["--region", job.region]
        yield shlex.join(["aws", service, operation, *region, "--cli-input-json", json.dumps(given)])
        if not place:
            policy = ["--policy-name", "runbook", "--policy-document", "file://policy.json"]
            yield shlex.join(["aws", "iam", "put-role-policy", "--role-name", f"{job.name}-run", *policy])


def _role(job: Job, does: str) -> str:
    return f"arn:aws:iam::{job.account}:role/{job.name}-{does}"


def _made(job: Job, does: str, service: str) -> Call:
    """A role that a service takes on, for what it does in this account alone."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": job.account}},
    }
    return "iam", "create-role", {"RoleName": f"{job.name}-{does}", "AssumeRolePolicyDocument": _policy(statement)}


def _starting(job: Job, family: str, cluster: str) -> dict[str, Any]:
    """What lets the schedule start this task, and nothing else."""
    start = {
        "Effect": "Allow",
        "Action": "ecs:RunTask",
        "Resource": [family, f"{family}:*"],
        "Condition": {"ArnEquals": {"ecs:cluster": cluster}},
    }
    hand_over = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": [_role(job, "run"), _role(job, "execute")],
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    }
    return {"RoleName": f"{job.name}-schedule", "PolicyName": "start", "PolicyDocument": _policy(start, hand_over)}


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
