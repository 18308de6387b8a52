"""The life of a task: what keeps it from starting, how it listens, is checked and stops, and what is listed of it."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.tasks import LOG, PULL, SLEEP, Deployment, deploy, make_network, make_role, programs, running


@pytest.fixture(scope="module")
def fargate(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "fargate-life")


class TestWhatCannotStart:
    def stopped(self, fargate: Deployment, definition: str, network: dict[str, Any] | None = None) -> dict[str, Any]:
        task = fargate.finished(fargate.start(definition, network))
        assert task["stopCode"] == "TaskFailedToStart"
        assert "startedAt" not in task
        assert "exitCode" not in task["containers"][0]
        return task

    def test_an_image_that_is_not_there(self, fargate: Deployment) -> None:
        image = fargate.image.replace(":1", ":2")
        task = self.stopped(fargate, fargate.define("pass", image=image))
        assert task["stoppedReason"].startswith("CannotPullContainerError: ")
        assert task["stoppedReason"].endswith(f"{image}: not found")
        assert task["containers"][0]["reason"] == task["stoppedReason"]

    def test_an_execution_role_that_may_not_pull(self, fargate: Deployment) -> None:
        role = make_role(fargate.sandbox, "only-logs-in", ["ecr:GetAuthorizationToken", *LOG])
        task = self.stopped(fargate, fargate.define("pass", task={"executionRoleArn": role}))
        assert task["stoppedReason"].startswith("CannotPullContainerError: ")
        assert "not authorized to perform: ecr:BatchGetImage" in task["stoppedReason"]

    def test_an_execution_role_that_may_not_log_in(self, fargate: Deployment) -> None:
        role = make_role(fargate.sandbox, "does-nothing", [])
        task = self.stopped(fargate, fargate.define("pass", task={"executionRoleArn": role}))
        assert "unable to retrieve ecr registry auth" in task["stoppedReason"]
        assert "not authorized to perform: ecr:GetAuthorizationToken" in task["stoppedReason"]

    def test_an_entry_point_that_is_not_there(self, fargate: Deployment) -> None:
        task = self.stopped(fargate, fargate.define(entryPoint=["/app/missing"]))
        assert task["stoppedReason"].startswith("CannotStartContainerError: ")
        assert '"/app/missing"' in task["stoppedReason"]

    def test_a_log_group_that_is_not_there(self, fargate: Deployment) -> None:
        options = {"awslogs-group": "nowhere", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "job"}
        log = {"logDriver": "awslogs", "options": options}
        task = self.stopped(fargate, fargate.define("pass", logConfiguration=log))
        assert task["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args")
        assert "ResourceNotFoundException" in task["stoppedReason"]

    def test_a_log_group_can_be_created_by_whoever_may(self, fargate: Deployment) -> None:
        role = make_role(fargate.sandbox, "creates-groups", [*PULL, *LOG, "logs:CreateLogGroup"])
        options = {
            "awslogs-group": "made-by-a-task",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "job",
            "awslogs-create-group": "true",
        }
        log = {"logDriver": "awslogs", "options": options}
        arn = fargate.start(fargate.define("print('made')", logConfiguration=log, task={"executionRoleArn": role}))
        fargate.finished(arn)
        events = fargate.client("logs").filter_log_events(logGroupName="made-by-a-task")["events"]
        assert [event["message"] for event in events] == ["made"]

    def test_a_subnet_without_a_way_to_ecr(self, fargate: Deployment) -> None:
        _, subnet = make_network(fargate.sandbox)
        task = self.stopped(fargate, fargate.define("pass"), {"subnets": [subnet]})
        assert task["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth")
        assert "https://api.ecr.us-east-1.amazonaws.com/" in task["stoppedReason"]
        assert "Please check your task network configuration" in task["stoppedReason"]


class TestStopping:
    def test_it_is_asked_to_end_first(self, fargate: Deployment) -> None:
        code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))
print('up', flush=True)
time.sleep(600)
"""
        arn = fargate.start(fargate.define(code))
        running(fargate, arn)
        fargate.client("ecs").stop_task(cluster=fargate.name, task=arn, reason="a new release")
        task = fargate.finished(arn)
        assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "a new release")
        assert (task["containers"][0]["exitCode"], fargate.log(arn)) == (0, ["up", "bye"])

    def test_it_is_killed_when_its_time_is_over(self, fargate: Deployment) -> None:
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
        arn = fargate.start(fargate.define(code, stopTimeout=2))
        running(fargate, arn)
        fargate.client("ecs").stop_task(cluster=fargate.name, task=arn)
        assert fargate.finished(arn)["containers"][0]["exitCode"] == 137

    def test_nothing_is_left_of_it(self, fargate: Deployment) -> None:
        arn = fargate.start(fargate.define(SLEEP))
        task = running(fargate, arn)
        interface = next(
            one["value"] for one in task["attachments"][0]["details"] if one["name"] == "networkInterfaceId"
        )
        processes = programs(fargate, arn)
        fargate.client("ecs").stop_task(cluster=fargate.name, task=arn)
        fargate.finished(arn)
        assert processes
        assert not any(Path(f"/proc/{pid}").exists() for pid in processes)
        assert list((fargate.sandbox.folder / "tasks").iterdir()) == []
        with pytest.raises(ClientError, match="InvalidNetworkInterfaceID"):
            fargate.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])

    def test_a_task_dies_with_the_daemon(self, another: Sandbox) -> None:
        alone = deploy(another, "doomed")
        arn = alone.start(alone.define(SLEEP))
        running(alone, arn)
        processes = programs(alone, arn)
        os.kill(another.state.pid, signal.SIGKILL)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))

    def test_one_that_is_not_there(self, fargate: Deployment) -> None:
        with pytest.raises(ClientError, match="The referenced task was not found"):
            fargate.client("ecs").stop_task(cluster=fargate.name, task="0" * 32)


class TestLists:
    def test_tasks_are_found_by_state_family_and_starter(self, fargate: Deployment) -> None:
        ecs = fargate.client("ecs")
        arn = fargate.start(fargate.define(SLEEP, stopTimeout=2), startedBy="the-test")
        running(fargate, arn)
        assert ecs.list_tasks(cluster=fargate.name, startedBy="the-test")["taskArns"] == [arn]
        assert ecs.list_tasks(cluster=fargate.name, family="another")["taskArns"] == []
        assert ecs.describe_clusters(clusters=[fargate.name])["clusters"][0]["runningTasksCount"] == 1
        ecs.stop_task(cluster=fargate.name, task=arn)
        fargate.finished(arn)
        assert arn not in ecs.list_tasks(cluster=fargate.name, family=fargate.name)["taskArns"]
        assert arn in ecs.list_tasks(cluster=fargate.name, desiredStatus="STOPPED")["taskArns"]

    def test_a_missing_task_is_a_failure(self, fargate: Deployment) -> None:
        answer = fargate.client("ecs").describe_tasks(cluster=fargate.name, tasks=["0" * 32])
        assert answer["tasks"] == []
        assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]

    def test_tags_of_the_definition_reach_the_task(self, fargate: Deployment) -> None:
        definition = fargate.define("pass", task={"tags": [{"key": "deployment", "value": "papers"}]})
        arn = fargate.start(definition, propagateTags="TASK_DEFINITION", tags=[{"key": "run", "value": "1"}])
        ecs = fargate.client("ecs")
        [task] = ecs.describe_tasks(cluster=fargate.name, tasks=[arn], include=["TAGS"])["tasks"]
        assert {tag["key"]: tag["value"] for tag in task["tags"]} == {"run": "1", "deployment": "papers"}
        assert ecs.list_tags_for_resource(resourceArn=definition)["tags"] == [{"key": "deployment", "value": "papers"}]
        fargate.finished(arn)


class TestListening:
    SERVER = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["NAME"].encode())
server = http.server.HTTPServer(("{host}", 8000), Answer)
print(server.server_address[0], flush=True)
server.handle_request()
"""
    ASK = "import os, urllib.request as u; print(u.urlopen('http://localhost:8000').read().decode(), flush=True)"

    def test_two_tasks_listen_on_one_port_and_each_finds_its_own(self, fargate: Deployment) -> None:
        code = f"import threading\ndef ask():\n    {self.ASK}\nthreading.Timer(1, ask).start(){self.SERVER}"
        names, where = ("one", "two"), "0.0.0.0"
        arns = [
            fargate.start(fargate.define(code.replace("{host}", where), environment=[{"name": "NAME", "value": name}]))
            for name in names
        ]
        logs = [fargate.log(fargate.finished(arn)["taskArn"]) for arn in arns]
        assert [log[-1] for log in logs] == list(names)
        assert len({log[0] for log in logs}) == len(names)
        assert all(log[0].startswith("127.") and log[0] != "127.0.0.1" for log in logs)

    def test_servers_of_asyncio_listen_there_too(self, fargate: Deployment) -> None:
        code = """
import asyncio, os
async def main():
    for host in (None, "0.0.0.0", "localhost", "::"):
        server = await asyncio.start_server(lambda *_: None, host, 9000)
        print({name.removeprefix("::ffff:") for name, *_ in [s.getsockname() for s in server.sockets]} ==
              {os.environ["RAGONOTEBOOKS_TASK_ADDRESS"]})
        server.close()
        await server.wait_closed()
asyncio.run(main())
"""
        assert fargate.run(code)[1] == ["True"] * 4


class TestHealth:
    def status(self, fargate: Deployment, code: str) -> str:
        check = {"command": ["CMD", "python", "-c", code], "interval": 5, "retries": 1}
        arn = fargate.start(fargate.define(SLEEP, healthCheck=check, stopTimeout=2))
        eventually(lambda: fargate.task(arn)["healthStatus"] != "UNKNOWN")
        task = fargate.task(arn)
        assert task["lastStatus"] == "RUNNING"
        assert task["containers"][0]["healthStatus"] == task["healthStatus"]
        fargate.client("ecs").stop_task(cluster=fargate.name, task=arn)
        return str(task["healthStatus"])

    def test_a_check_that_ends_well_is_healthy(self, fargate: Deployment) -> None:
        assert self.status(fargate, "import os; os.environ['ECS_CONTAINER_METADATA_URI_V4']") == "HEALTHY"

    def test_one_that_fails_is_not(self, fargate: Deployment) -> None:
        assert self.status(fargate, "raise SystemExit(1)") == "UNHEALTHY"

    def test_what_the_definition_leaves_out_is_filled_in(self, fargate: Deployment) -> None:
        arn = fargate.define("pass", healthCheck={"command": ["CMD", "true"]}, portMappings=[{"containerPort": 80}])
        described = fargate.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        [container] = described["containerDefinitions"]
        assert container["healthCheck"] == {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}
        assert container["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
