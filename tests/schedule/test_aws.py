"""What is printed for AWS is what AWS takes: the sandbox carries it out as far as it can, botocore's models judge all of it."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import validate_parameters
from typer.testing import CliRunner

from ragonotebooks.cli import app
from tests.sandbox.conftest import Sandbox, running_sandbox

ACCOUNT = "123456789012"
WORDS = (
    "schedule cost-report --timezone Europe/Berlin --account 123456789012 --image registry/ragonotebooks:1 "
    "--subnet subnet-0123456789abcdef0 -p name=it-s"
)
ENTERED = ("iam", "logs", "ecs")


@pytest.fixture(scope="module")
def printed() -> list[list[str]]:
    """The commands of the printout, in words as a shell takes them."""
    shown = CliRunner().invoke(app, [*shlex.split(WORDS), "--cron", "0 6 * * MON-FRI"])
    assert shown.exit_code == 0, shown.output
    return [shlex.split(line) for line in shown.output.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def calls(printed: list[list[str]]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(words[1], words[2], json.loads(words[-1])) for words in printed if words[-2] == "--cli-input-json"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


def test_every_call_has_the_form_that_its_service_declares(calls: list[tuple[str, str, dict[str, Any]]]) -> None:
    loader = create_loader()
    for service, operation, given in calls:
        model = ServiceModel(loader.load_service_model(service, "service-2"))
        name = "".join(part.capitalize() for part in operation.split("-"))
        validate_parameters(given, model.operation_model(name).input_shape)


def test_the_sandbox_makes_it_and_the_task_runs_the_runbook(
    calls: list[tuple[str, str, dict[str, Any]]], sandbox: Sandbox
) -> None:
    for service, operation, given in calls:
        if service in ENTERED:
            getattr(sandbox.client(service), operation.replace("-", "_"))(**given)
    definition = sandbox.client("ecs").describe_task_definition(taskDefinition="ragonotebooks-cost-report")
    (container,) = definition["taskDefinition"]["containerDefinitions"]
    assert [*container["entryPoint"], *container["command"]] == shlex.split(
        f"ragonotebooks run cost-report -p target=cloud -p name=it-s --yes --account {ACCOUNT}"
    )


def test_the_schedule_starts_that_task_at_that_time(calls: list[tuple[str, str, dict[str, Any]]]) -> None:
    made = {operation: given for _, operation, given in calls}
    schedule = made["create-schedule"]
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
        "cron(0 6 ? * 2,3,4,5,6 *)",
        "Europe/Berlin",
    )
    target = schedule["Target"]
    assert target["Arn"].endswith(f":{ACCOUNT}:cluster/{made['create-cluster']['clusterName']}")
    family = made["register-task-definition"]["family"]
    assert target["EcsParameters"]["TaskDefinitionArn"].endswith(f":{ACCOUNT}:task-definition/{family}")


def test_its_role_may_start_that_task_and_hand_over_those_roles_alone(
    calls: list[tuple[str, str, dict[str, Any]]],
) -> None:
    (policy,) = [json.loads(given["PolicyDocument"]) for _, operation, given in calls if operation == "put-role-policy"]
    task = next(given for _, operation, given in calls if operation == "register-task-definition")
    start, hand_over = policy["Statement"]
    assert (start["Action"], hand_over["Action"]) == ("ecs:RunTask", "iam:PassRole")
    assert hand_over["Resource"] == [task["taskRoleArn"], task["executionRoleArn"]]


def test_each_role_is_taken_on_by_its_service_for_this_account(calls: list[tuple[str, str, dict[str, Any]]]) -> None:
    trusted = {
        given["RoleName"].rpartition("-")[2]: json.loads(given["AssumeRolePolicyDocument"])["Statement"][0]
        for _, operation, given in calls
        if operation == "create-role"
    }
    assert {does: one["Principal"]["Service"] for does, one in trusted.items()} == {
        "run": "ecs-tasks.amazonaws.com",
        "execute": "ecs-tasks.amazonaws.com",
        "schedule": "scheduler.amazonaws.com",
    }
    assert all(one["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}} for one in trusted.values())
