"""ECS on Fargate in the sandbox: a task is a process with its place, its identity and its secrets."""

import json
import os
import signal

import pytest

from ragonotebooks.sandbox.ledger import read_ledger
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.tasks import LOG, PULL, SLEEP, Deployment, deploy, make_role, programs, running


@pytest.fixture(scope="module")
def fargate(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "fargate")


@pytest.fixture(scope="module")
def secret(fargate: Deployment) -> str:
    value = json.dumps({"username": "reader", "password": "not-a-secret"})
    return str(fargate.client("secretsmanager").create_secret(Name="login", SecretString=value)["ARN"])


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
            cluster=fargate.name,
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

        def asked() -> int:
            return sum(call.action == "DescribeTasks" for call in read_ledger(fargate.sandbox.folder))

        before = asked()
        fargate.client("ecs").get_waiter("tasks_stopped").wait(cluster=fargate.name, tasks=[arn])
        assert asked() == before + 1

    def test_two_containers_share_a_task(self, fargate: Deployment) -> None:
        options = {"awslogs-group": fargate.name, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "job"}
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
