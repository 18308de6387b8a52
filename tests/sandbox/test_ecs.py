"""ECS on Fargate in the sandbox: a task is a process, and what the API says of it is true."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.watcher import descendants
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.tasks import LOG, PULL, Deployment, deploy, make_network, make_role, push

SLEEP = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def fargate(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "fargate")


@pytest.fixture(scope="module")
def secret(fargate: Deployment) -> str:
    value = json.dumps({"username": "reader", "password": "not-a-secret"})
    return str(fargate.client("secretsmanager").create_secret(Name="login", SecretString=value)["ARN"])


def running(fargate: Deployment, arn: str) -> dict[str, Any]:
    eventually(lambda: fargate.task(arn)["lastStatus"] == "RUNNING" and fargate.log(arn))
    return fargate.task(arn)


def programs(fargate: Deployment, arn: str) -> list[int]:
    """The processes of a task below its shim; the runtime's id ends with the shim's."""
    shim = int(fargate.task(arn)["containers"][0]["runtimeId"].rpartition("-")[2])
    return descendants(shim)


class TestRunning:
    def test_the_image_runs_and_its_output_is_in_the_log(self, fargate: Deployment) -> None:
        task, log = fargate.run()
        assert log == ["the job of the image"]
        assert (task["stopCode"], task["stoppedReason"]) == (
            "EssentialContainerExited",
            "Essential container in task exited",
        )
        [container] = task["containers"]
        assert (container["exitCode"], container["lastStatus"]) == (0, "STOPPED")
        assert container["imageDigest"] == fargate.digest

    def test_times_are_in_order(self, fargate: Deployment) -> None:
        task, _ = fargate.run("pass")
        names = ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "executionStoppedAt", "stoppedAt")
        times = [task[name] for name in names]
        assert times == sorted(times)

    def test_states_follow_each_other(self, fargate: Deployment) -> None:
        definition = fargate.define("import time; time.sleep(0.5)")
        answer = fargate.client("ecs").run_task(
            cluster="fargate",
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [fargate.subnet], "assignPublicIp": "ENABLED"}},
        )
        [task] = answer["tasks"]
        seen = [task["lastStatus"]]

        def look() -> bool:
            status = fargate.task(task["taskArn"])["lastStatus"]
            if status != seen[-1]:
                seen.append(status)
            return bool(status == "STOPPED")

        eventually(look)
        order = ["PROVISIONING", "PENDING", "RUNNING", "STOPPING", "DEPROVISIONING", "STOPPED"]
        assert seen[0] == "PROVISIONING"
        assert "RUNNING" in seen
        assert [order.index(status) for status in seen] == sorted(order.index(status) for status in seen)

    def test_it_has_an_address_of_its_subnet(self, fargate: Deployment) -> None:
        task, _ = fargate.run("pass")
        [attachment] = task["attachments"]
        details = {one["name"]: one["value"] for one in attachment["details"]}
        assert details["subnetId"] == fargate.subnet
        assert details["privateIPv4Address"].startswith("10.7.1.")
        assert task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == details["privateIPv4Address"]

    def test_exit_code_and_reason_are_those_of_the_program(self, fargate: Deployment) -> None:
        task, log = fargate.run("import sys; print('no'); sys.exit(3)")
        assert (task["containers"][0]["exitCode"], log) == (3, ["no"])

    def test_a_program_killed_with_9_says_137(self, fargate: Deployment) -> None:
        arn = fargate.start(fargate.define(SLEEP))
        running(fargate, arn)
        [program] = programs(fargate, arn)
        os.kill(program, signal.SIGKILL)
        task = fargate.finished(arn)
        assert task["containers"][0]["exitCode"] == 137
        assert task["stoppedReason"] == "Essential container in task exited"

    def test_command_and_environment_can_be_overridden(self, fargate: Deployment) -> None:
        definition = fargate.define("pass", environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}])
        code = "import os; print(os.environ['A'], os.environ['B'])"
        override = {"name": "job", "command": ["-c", code], "environment": [{"name": "B", "value": "2"}]}
        arn = fargate.start(definition, overrides={"containerOverrides": [override]})
        assert fargate.finished(arn)["overrides"]["containerOverrides"] == [override]
        assert fargate.log(arn) == ["1 2"]

    def test_long_output_is_complete_and_in_order(self, fargate: Deployment) -> None:
        _, log = fargate.run("for i in range(5000): print(i)")
        assert log == [str(i) for i in range(5000)]

    def test_the_waiter_returns_when_the_task_ends(self, fargate: Deployment) -> None:
        arn = fargate.start(fargate.define("import time; time.sleep(0.3)"))
        asked = fargate.sandbox.folder / "ledger.jsonl"
        before = asked.read_text().count("DescribeTasks")
        fargate.client("ecs").get_waiter("tasks_stopped").wait(cluster="fargate", tasks=[arn])
        assert asked.read_text().count("DescribeTasks") == before + 1

    def test_two_containers_share_a_task(self, fargate: Deployment) -> None:
        options = {"awslogs-group": "fargate", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "job"}
        log = {"logDriver": "awslogs", "options": options}
        one = {"name": "job", "image": fargate.image, "command": ["-c", "import time; time.sleep(1); print('main')"]}
        two = {"name": "side", "image": fargate.image, "command": ["-c", SLEEP], "essential": False, "stopTimeout": 2}
        both = [{**container, "logConfiguration": log} for container in (one, two)]
        definition = fargate.define(task={"containerDefinitions": both})
        task = fargate.finished(fargate.start(definition))
        assert {container["name"]: container["exitCode"] for container in task["containers"]} == {"job": 0, "side": 143}
        assert fargate.log(task["taskArn"], "side") == ["up"]


class TestIdentity:
    def test_it_runs_with_its_role_alone(self, fargate: Deployment) -> None:
        role = make_role(fargate.sandbox, "may-list-buckets", ["s3:ListAllMyBuckets"])
        code = """
import json, os, urllib.request
request = urllib.request.Request(os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'])
request.add_header('Authorization', os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN'])
print(json.load(urllib.request.urlopen(request))['RoleArn'])
print(os.environ.get('AWS_ACCESS_KEY_ID'), os.environ.get('AWS_SECRET_ACCESS_KEY'))
"""
        arn = fargate.start(fargate.define(code, task={"taskRoleArn": role}))
        fargate.finished(arn)
        assert fargate.log(arn) == [role, "None None"]

    def test_without_a_role_it_has_no_credentials(self, fargate: Deployment) -> None:
        _, log = fargate.run("import os; print([name for name in os.environ if 'CREDENTIALS_FULL' in name])")
        assert log == ["[]"]

    def test_credentials_need_the_token(self, fargate: Deployment) -> None:
        role = make_role(fargate.sandbox, "guarded", [])
        code = """
import os, urllib.error, urllib.request
try:
    urllib.request.urlopen(os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'])
except urllib.error.HTTPError as error:
    print(error.code)
"""
        arn = fargate.start(fargate.define(code, task={"taskRoleArn": role}))
        fargate.finished(arn)
        assert fargate.log(arn) == ["401"]

    def test_it_knows_itself(self, fargate: Deployment) -> None:
        url = "os.environ['ECS_CONTAINER_METADATA_URI_V4'] + '/task'"
        code = f"import os, urllib.request as u; print(u.urlopen({url}).read().decode())"
        task, [line] = fargate.run(code)
        assert json.loads(line)["TaskARN"] == task["taskArn"]

    def test_nothing_of_the_hosts_packages_is_there(self, fargate: Deployment) -> None:
        _, log = fargate.run(
            "import importlib.util as u; print(u.find_spec('papermill'), u.find_spec('ragonotebooks'))"
        )
        assert log == ["None None"]


class TestSecrets:
    def test_a_key_of_a_secret_becomes_a_variable(self, fargate: Deployment, secret: str) -> None:
        wanted = [{"name": "PASSWORD", "valueFrom": f"{secret}:password::"}, {"name": "ALL", "valueFrom": secret}]
        _, log = fargate.run("import os; print(os.environ['PASSWORD'], os.environ['ALL'])", secrets=wanted)
        assert log == ['not-a-secret {"username": "reader", "password": "not-a-secret"}']

    def test_a_parameter_becomes_a_variable(self, fargate: Deployment) -> None:
        fargate.client("ssm").put_parameter(Name="/papers/model", Value="small", Type="SecureString")
        arn = "arn:aws:ssm:us-east-1:123456789012:parameter/papers/model"
        wanted = [{"name": "BY_NAME", "valueFrom": "/papers/model"}, {"name": "BY_ARN", "valueFrom": arn}]
        _, log = fargate.run("import os; print(os.environ['BY_NAME'], os.environ['BY_ARN'])", secrets=wanted)
        assert log == ["small small"]

    def test_a_missing_key_stops_the_start(self, fargate: Deployment, secret: str) -> None:
        definition = fargate.define("pass", secrets=[{"name": "X", "valueFrom": f"{secret}:nothing::"}])
        task = fargate.finished(fargate.start(definition))
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth")
        assert "did not contain json key nothing" in task["stoppedReason"]

    def test_the_execution_role_has_to_be_allowed_to_read_it(self, fargate: Deployment, secret: str) -> None:
        role = make_role(fargate.sandbox, "reads-no-secrets", [*PULL, *LOG])
        definition = fargate.define(
            "pass", secrets=[{"name": "X", "valueFrom": secret}], task={"executionRoleArn": role}
        )
        task = fargate.finished(fargate.start(definition))
        assert "AccessDeniedException" in task["stoppedReason"]
        assert "is not authorized to perform: secretsmanager:GetSecretValue" in task["stoppedReason"]


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
        fargate.client("ecs").stop_task(cluster="fargate", task=arn, reason="a new release")
        task = fargate.finished(arn)
        assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "a new release")
        assert (task["containers"][0]["exitCode"], fargate.log(arn)) == (0, ["up", "bye"])

    def test_it_is_killed_when_its_time_is_over(self, fargate: Deployment) -> None:
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
        arn = fargate.start(fargate.define(code, stopTimeout=2))
        running(fargate, arn)
        fargate.client("ecs").stop_task(cluster="fargate", task=arn)
        assert fargate.finished(arn)["containers"][0]["exitCode"] == 137

    def test_nothing_is_left_of_it(self, fargate: Deployment) -> None:
        arn = fargate.start(fargate.define(SLEEP))
        task = running(fargate, arn)
        interface = next(
            one["value"] for one in task["attachments"][0]["details"] if one["name"] == "networkInterfaceId"
        )
        processes = programs(fargate, arn)
        fargate.client("ecs").stop_task(cluster="fargate", task=arn)
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
            fargate.client("ecs").stop_task(cluster="fargate", task="0" * 32)


class TestLists:
    def test_tasks_are_found_by_state_family_and_starter(self, fargate: Deployment) -> None:
        ecs = fargate.client("ecs")
        arn = fargate.start(fargate.define(SLEEP, stopTimeout=2), startedBy="the-test")
        running(fargate, arn)
        assert ecs.list_tasks(cluster="fargate", startedBy="the-test")["taskArns"] == [arn]
        assert ecs.list_tasks(cluster="fargate", family="another")["taskArns"] == []
        assert ecs.describe_clusters(clusters=["fargate"])["clusters"][0]["runningTasksCount"] == 1
        ecs.stop_task(cluster="fargate", task=arn)
        fargate.finished(arn)
        assert arn not in ecs.list_tasks(cluster="fargate", family="fargate")["taskArns"]
        assert arn in ecs.list_tasks(cluster="fargate", desiredStatus="STOPPED")["taskArns"]

    def test_a_missing_task_is_a_failure(self, fargate: Deployment) -> None:
        answer = fargate.client("ecs").describe_tasks(cluster="fargate", tasks=["0" * 32])
        assert answer["tasks"] == []
        assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]

    def test_tags_of_the_definition_reach_the_task(self, fargate: Deployment) -> None:
        definition = fargate.define("pass", task={"tags": [{"key": "deployment", "value": "papers"}]})
        arn = fargate.start(definition, propagateTags="TASK_DEFINITION", tags=[{"key": "run", "value": "1"}])
        ecs = fargate.client("ecs")
        [task] = ecs.describe_tasks(cluster="fargate", tasks=[arn], include=["TAGS"])["tasks"]
        assert {tag["key"]: tag["value"] for tag in task["tags"]} == {"run": "1", "deployment": "papers"}
        assert ecs.list_tags_for_resource(resourceArn=definition)["tags"] == [{"key": "deployment", "value": "papers"}]
        fargate.finished(arn)


class TestDefinitions:
    def test_a_revision_that_is_deregistered_cannot_run(self, fargate: Deployment) -> None:
        ecs = fargate.client("ecs")
        first, second = fargate.define("pass"), fargate.define("pass")
        ecs.deregister_task_definition(taskDefinition=second)
        latest = ecs.describe_task_definition(taskDefinition="fargate")["taskDefinition"]
        assert latest["taskDefinitionArn"] == first
        assert second not in ecs.list_task_definitions(familyPrefix="fargate")["taskDefinitionArns"]
        with pytest.raises(ClientError, match="TaskDefinition is inactive"):
            fargate.start(second)

    def test_sizes_may_have_units(self, fargate: Deployment) -> None:
        arn = fargate.define("pass", task={"cpu": ".5 vCPU", "memory": "1 GB"})
        described = fargate.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        assert (described["cpu"], described["memory"]) == ("512", "1024")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"cpu": ""}, "Fargate requires that 'cpu' be defined at the task level"),
            ({"memory": "513"}, "No Fargate configuration exists for given values"),
            ({"cpu": "much"}, "Invalid 'cpu' setting for task"),
            ({"executionRoleArn": ""}, "to have execution role ARN to support ECR images"),
            ({"volumes": [{"name": "v"}]}, "volumes .* is not supported by the sandbox"),
        ],
    )
    def test_what_fargate_does_not_accept(self, fargate: Deployment, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ClientError, match=message):
            fargate.define("pass", task=change)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"essential": False}, "at least one essential container"),
            (
                {"dependsOn": [{"containerName": "job", "condition": "START"}]},
                "dependsOn .* is not supported by the sandbox",
            ),
            ({"healthCheck": {"command": ["true"]}}, "must begin with CMD or CMD-SHELL"),
            ({"healthCheck": {"command": ["CMD", "true"], "interval": 1}}, "interval must be between 5 and 300, not 1"),
            (
                {"portMappings": [{"containerPort": 8000, "hostPort": 80}]},
                "host ports and container ports .* must match",
            ),
            ({"portMappings": [{"containerPort": 0}]}, "0 is not between 1 and 65535"),
            (
                {"portMappings": [{"containerPort": 80, "name": "Web"}]},
                "The name of port 80 may have lowercase letters",
            ),
            (
                {"portMappings": [{"containerPort": 80}, {"containerPort": 80}]},
                "The container port 80/tcp is mapped twice",
            ),
            ({"logConfiguration": {"logDriver": "splunk"}}, "The log driver splunk is not supported"),
            ({"logConfiguration": {"logDriver": "awslogs", "options": {}}}, "Log driver awslogs requires options"),
        ],
    )
    def test_what_a_container_may_not_be(self, fargate: Deployment, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ClientError, match=message):
            fargate.define("pass", **change)


class TestRequests:
    @pytest.mark.parametrize(
        ("network", "message"),
        [
            ({"subnets": ["subnet-0"]}, "The subnet ID 'subnet-0' does not exist"),
            ({"securityGroups": ["sg-0"]}, "The security group 'sg-0' does not exist"),
        ],
    )
    def test_a_network_that_is_not_there(self, fargate: Deployment, network: dict[str, Any], message: str) -> None:
        with pytest.raises(ClientError, match=message):
            fargate.start(fargate.define("pass"), network)

    def test_a_role_that_does_not_trust_tasks(self, fargate: Deployment) -> None:
        document = {"Version": "2012-10-17", "Statement": []}
        iam = fargate.client("iam")
        role = iam.create_role(RoleName="closed", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        with pytest.raises(ClientError, match="ECS was unable to assume the role"):
            fargate.start(fargate.define("pass", task={"taskRoleArn": role}))

    def test_an_override_of_no_container(self, fargate: Deployment) -> None:
        with pytest.raises(ClientError, match="is not a container in the TaskDefinition"):
            fargate.start(fargate.define("pass"), overrides={"containerOverrides": [{"name": "other"}]})

    def test_what_the_sandbox_lacks_is_refused_by_name(self, fargate: Deployment) -> None:
        with pytest.raises(ClientError, match="ecs:ExecuteCommand is not supported by the sandbox"):
            fargate.client("ecs").execute_command(cluster="fargate", task="0" * 32, command="sh", interactive=True)

    def test_instances_are_refused(self, fargate: Deployment) -> None:
        with pytest.raises(ClientError, match="No Container Instances were found in your cluster"):
            fargate.client("ecs").run_task(cluster="fargate", taskDefinition=fargate.define("pass"))

    def test_a_cluster_is_not_deleted_under_its_tasks(self, fargate: Deployment) -> None:
        arn = fargate.start(fargate.define(SLEEP, stopTimeout=2))
        with pytest.raises(ClientError, match="cannot be deleted while Tasks are active"):
            fargate.client("ecs").delete_cluster(cluster="fargate")
        fargate.client("ecs").stop_task(cluster="fargate", task=arn)
        fargate.finished(arn)


def test_an_image_may_be_named_by_its_digest(fargate: Deployment) -> None:
    image = fargate.image.replace(":1", f"@{fargate.digest}")
    task, log = fargate.run(image=image)
    assert (task["containers"][0]["imageDigest"], log) == (fargate.digest, ["the job of the image"])


def test_a_task_can_be_tagged_later(fargate: Deployment) -> None:
    task, _ = fargate.run("pass")
    ecs = fargate.client("ecs")
    ecs.tag_resource(resourceArn=task["taskArn"], tags=[{"key": "deployment", "value": "papers"}])
    assert ecs.list_tags_for_resource(resourceArn=task["taskArn"])["tags"] == [{"key": "deployment", "value": "papers"}]


def test_a_pushed_tag_is_pulled_anew(fargate: Deployment) -> None:
    fargate.client("ecr").create_repository(repositoryName="moving")
    image = fargate.image.replace("/fargate:1", "/moving:latest")
    push(fargate.sandbox, "moving", {"job.py": b"print('old')\n"}, "latest")
    assert fargate.run(image=image)[1] == ["old"]
    push(fargate.sandbox, "moving", {"job.py": b"print('new')\n"}, "latest")
    assert fargate.run(image=image)[1] == ["new"]


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
        fargate.client("ecs").stop_task(cluster="fargate", task=arn)
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
