"""The deployed services: `/search` through the load balancer beside the API's own tasks, and the successor of a killed task.

The environment variable RAGONOTEBOOKS_TEST_DEPLOYMENT names a sandbox that holds a deployment; without it, one is made.
"""

import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bench.common import COMMAND, RUNS, aws, report, run, sandbox, seconds
from tests.bench.load import Load, load

GIVEN = "RAGONOTEBOOKS_TEST_DEPLOYMENT"
NAME = "ragonometrics"
QUESTIONS = Path(__file__).parents[2] / "data" / "questions.jsonl"
RATE = 300
TURNS, SECONDS = 25, 2  # short ones, so that whatever else the machine does meets both peers alike
LIMIT_SECONDS = 60

Address = tuple[str, int]


def services() -> None:
    """Searches at a fixed rate, and how soon a killed task is replaced."""
    with deployment() as name:
        requests = searches(name)
        tasks, balancer = addresses(name, "ecs", "api/"), addresses(name, "elasticloadbalancing", f"{NAME}:")
        turns = [(load(tasks, requests, RATE, SECONDS), load(balancer, requests, RATE, SECONDS)) for _ in range(TURNS)]
        report_search([direct for direct, _ in turns], [balanced for _, balanced in turns])
        report("a killed API task replaced and healthy", statistics.median(replaced(name) for _ in range(RUNS)), "s", 5)


def report_search(direct: list[Load], balanced: list[Load]) -> None:
    def median(figure: str, loads: list[Load]) -> float:
        return float(statistics.median(getattr(one, figure) for one in loads))

    report("/search through the load balancer, two API tasks", median("rate", balanced), "/s", at_least=RATE * 0.95)
    report("  answers that were not 200", sum(one.failed for one in [*direct, *balanced]), "", 0)
    report("  p95", median("p95", balanced), "ms", 50)
    for figure in ("p50", "p95"):
        ratio = statistics.median(
            getattr(b, figure) / getattr(a, figure) for a, b in zip(direct, balanced, strict=True)
        )
        sides = f"{median(figure, balanced):.1f} ms, {median(figure, direct):.1f} ms"
        report(f"  {figure} against the tasks called directly ({sides})", ratio, "×", 1.6)


def replaced(name: str) -> float:
    """Kill one of the API's tasks; seconds until as many tasks as before run, and the load balancer finds them healthy."""
    ecs, elbv2 = aws("ecs", name), aws("elbv2", name)
    group = elbv2.describe_target_groups(Names=[f"{NAME}-api"])["TargetGroups"][0]["TargetGroupArn"]
    before = tasks_of(ecs)
    victim = next(one for one in servers(name) if one["service"] == "ecs" and one["id"].startswith("api/"))
    dead = next(arn for arn in before if arn.endswith(victim["id"].rpartition("/")[2]))

    def wait() -> None:
        os.kill(victim["pid"], signal.SIGKILL)
        deadline = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < deadline:
            now = tasks_of(ecs)
            if dead not in now and len(now) == len(before) and healthy(elbv2, group) == set(now.values()):
                return
            time.sleep(0.05)
        raise TimeoutError(f"no successor of {dead} was healthy within {LIMIT_SECONDS} s")

    return seconds(wait)


def tasks_of(ecs: Any) -> dict[str, str]:
    """The private addresses of the API's tasks by their ARNs."""
    arns = ecs.list_tasks(cluster=NAME, serviceName="api")["taskArns"]
    tasks = ecs.describe_tasks(cluster=NAME, tasks=arns)["tasks"] if arns else []
    return {
        task["taskArn"]: detail["value"]
        for task in tasks
        for detail in task["attachments"][0]["details"]
        if detail["name"] == "privateIPv4Address"
    }


def healthy(elbv2: Any, group: str) -> set[str]:
    """The addresses of a target group's healthy targets."""
    targets = elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return {target["Target"]["Id"] for target in targets if target["TargetHealth"]["State"] == "healthy"}


def searches(name: str) -> list[bytes]:
    """A request for each of the packaged questions."""
    key = json.loads(aws("secretsmanager", name).get_secret_value(SecretId=f"{NAME}/api")["SecretString"])["key"]
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    return [
        f"GET /search?q={quote(question)} HTTP/1.1\r\nHost: {NAME}\r\nX-API-Key: {key}\r\n\r\n".encode()
        for question in questions
    ]


def addresses(name: str, service: str, prefix: str) -> list[Address]:
    """Where the servers of a service listen on this machine, of those whose ids start with `prefix`."""
    return [
        (one["address"], one["port"])
        for one in servers(name)
        if one["service"] == service and one["id"].startswith(prefix)
    ]


def servers(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*COMMAND, "sandbox", "status", "--name", name, "--json"))["servers"]
    return found


@contextmanager
def deployment() -> Iterator[str]:
    """The sandbox of a deployment."""
    if given := os.environ.get(GIVEN):
        yield given
        return
    with sandbox() as name, tempfile.TemporaryDirectory() as folder:
        sys.stdout.write("deploying the services, which takes minutes\n")
        sys.stdout.flush()
        run(*COMMAND, "run", "deploy-aws", "--name", name, "--out", f"{folder}/run")
        yield name
