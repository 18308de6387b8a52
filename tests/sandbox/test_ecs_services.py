"""ECS services in the sandbox: what is asked for runs, stays, rolls and is rolled back."""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from ragonotebooks.sandbox import status
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.services import BREAKER, SERVER, Balancer, Fleet, admit, balance, security_group
from tests.sandbox.tasks import Deployment, deploy

Make = Callable[[str], Fleet]
# answers with the task's own name
WHO = SERVER.replace('os.environ["NAME"]', 'os.environ["HOME"]')


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "services")


@pytest.fixture
def fleet(cluster: Deployment) -> Iterator[Make]:
    made: list[Fleet] = []

    def make(name: str) -> Fleet:
        made.append(Fleet(cluster, name))
        return made[-1]

    yield make
    found = cluster.client("ecs").list_services(cluster=cluster.name)["serviceArns"]
    for one in made:
        if any(arn.endswith(f"/{one.name}") for arn in found):
            one.delete()


@pytest.fixture(scope="module")
def groups(cluster: Deployment) -> tuple[str, str]:
    """The security groups of servers and of clients, of which the first admits the second."""
    servers, clients = security_group(cluster, "servers"), security_group(cluster, "clients")
    admit(cluster, servers, 8000, {"UserIdGroupPairs": [{"GroupId": clients}]})
    cluster.client("servicediscovery").create_http_namespace(Name="papers")
    return servers, clients


@pytest.fixture(scope="module")
def balancer(cluster: Deployment) -> Balancer:
    return balance(cluster, "10.7.3.0/24")


def shim(task: dict[str, Any]) -> int:
    """The process that heads a task."""
    return int(task["containers"][0]["runtimeId"].rpartition("-")[2])


def healthy(tasks: list[dict[str, Any]]) -> int:
    return sum((task["lastStatus"], task["healthStatus"]) == ("RUNNING", "HEALTHY") for task in tasks)


class TestCount:
    def test_as_many_tasks_run_as_are_desired(self, fleet: Make) -> None:
        api = fleet("count")
        service = api.create(api.define()).stable()
        tasks = api.tasks()
        [deployment] = service["deployments"]
        assert (service["runningCount"], service["pendingCount"], healthy(tasks)) == (2, 0, 2)
        assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "COMPLETED")
        assert {(task["group"], task["startedBy"]) for task in tasks} == {("service:count", deployment["id"])}
        assert api.messages()[-2:] == [
            f"(deployment {deployment['id']}) deployment completed.",
            "has reached a steady state.",
        ]

    def test_a_killed_task_is_replaced(self, fleet: Make) -> None:
        api = fleet("kill")
        api.create(api.define()).stable()
        killed, kept = api.tasks()
        os.kill(shim(killed), signal.SIGKILL)
        eventually(lambda: killed["taskArn"] not in [task["taskArn"] for task in api.tasks()])
        api.stable()
        arns = {task["taskArn"] for task in api.tasks()}
        assert len(arns) == 2
        assert kept["taskArn"] in arns
        assert [task["stopCode"] for task in api.tasks("STOPPED")] == ["EssentialContainerExited"]

    def test_a_task_that_somebody_stops_is_replaced(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("stop")
        api.create(api.define(), count=1).stable()
        [task] = api.tasks()
        api.ecs.stop_task(cluster=cluster.name, task=task["taskArn"], reason="to see what happens")
        cluster.finished(task["taskArn"])
        api.stable()
        [another] = api.tasks()
        assert another["taskArn"] != task["taskArn"]

    def test_an_unhealthy_task_is_replaced(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("sick")
        probe = "import os, pathlib; raise SystemExit(pathlib.Path(os.environ['HOME'], 'ill').exists())"
        api.create(api.define(probe=probe), count=1).stable()
        [task] = api.tasks()
        [home] = cluster.sandbox.folder.glob(f"tasks/{task['taskArn'].rpartition('/')[2]}/job")
        (home / "ill").touch()
        stopped = cluster.finished(task["taskArn"])
        assert stopped["stoppedReason"] == "Task failed container health checks"
        assert (api.stable()["runningCount"], healthy(api.tasks())) == (1, 1)

    def test_another_count_is_no_deployment(self, fleet: Make) -> None:
        api = fleet("scale")
        first = api.create(api.define(), count=1).stable()
        api.update(desiredCount=3)
        more = api.stable()
        api.update(desiredCount=0)
        none = api.stable()
        assert [service["runningCount"] for service in (first, more, none)] == [1, 3, 0]
        assert len({service["deployments"][0]["id"] for service in (first, more, none)}) == 1

    def test_tasks_are_in_all_subnets(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("spread")
        another = cluster.client("ec2").create_subnet(VpcId=cluster.vpc, CidrBlock="10.7.2.0/24")["Subnet"]["SubnetId"]
        subnets = {"subnets": [cluster.subnet, another]}
        api.create(api.define(), network=subnets).stable()
        found = [detail["value"] for task in api.tasks() for detail in task["attachments"][0]["details"]]
        assert {cluster.subnet, another} <= set(found)


class TestRollingUpdate:
    @pytest.mark.parametrize(("least", "most"), [(100, 200), (50, 100)])
    def test_it_keeps_within_its_limits(self, fleet: Make, least: int, most: int) -> None:
        api = fleet(f"roll-{least}")
        limits = {"minimumHealthyPercent": least, "maximumPercent": most}
        api.create(api.define("old"), deploymentConfiguration=limits).stable()
        new = api.define("new")
        api.update(taskDefinition=new)
        seen: list[tuple[int, int]] = []

        def rolled() -> bool:
            tasks = api.tasks()
            seen.append((healthy(tasks), len(tasks)))
            return {task["taskDefinitionArn"] for task in tasks} == {new} and bool(api.stable())

        eventually(rolled)
        assert min(found for found, _ in seen) >= 2 * least // 100
        assert max(there for _, there in seen) <= 2 * most // 100
        assert api.now()["taskDefinition"] == new

    def test_earlier_tasks_are_asked_to_end(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("graceful")
        api.create(api.define("old"), count=1).stable()
        [old] = api.tasks()
        api.update(taskDefinition=api.define("new"))
        deployment = api.stable()["deployments"][0]["id"]
        stopped = cluster.finished(old["taskArn"])
        assert stopped["stopCode"] == "ServiceSchedulerInitiated"
        assert stopped["stoppedReason"] == f"Scaling activity initiated by (deployment {deployment})"
        assert (stopped["containers"][0]["exitCode"], cluster.log(old["taskArn"])) == (0, ["up", "bye"])

    def test_it_can_be_forced(self, fleet: Make) -> None:
        api = fleet("force")
        before = api.create(api.define(), count=1).stable()
        arns = [task["taskArn"] for task in api.tasks()]
        api.update(taskDefinition=before["taskDefinition"])
        assert api.now()["deployments"][0]["id"] == before["deployments"][0]["id"]
        api.update(forceNewDeployment=True)
        assert [one["status"] for one in api.now()["deployments"]] == ["PRIMARY", "ACTIVE"]
        assert api.stable()["deployments"][0]["id"] != before["deployments"][0]["id"]
        assert [task["taskArn"] for task in api.tasks()] != arns

    def test_limits_that_leave_no_way_are_named(self, fleet: Make) -> None:
        api = fleet("stuck")
        limits = {"minimumHealthyPercent": 60, "maximumPercent": 120}
        api.create(api.define("old"), count=1, deploymentConfiguration=limits).stable()
        api.update(taskDefinition=api.define("new"))
        eventually(lambda: any("because of the service deployment configuration" in one for one in api.messages()))


class TestCircuitBreaker:
    def rolled_back(self, api: Fleet, bad: str) -> dict[str, Any]:
        good = api.create(api.define(), deploymentConfiguration=BREAKER).stable()["deployments"][0]
        arns = {task["taskArn"] for task in api.tasks()}
        api.update(taskDefinition=bad)
        failed = api.now()["deployments"][0]["id"]
        service = api.stable()
        assert service["taskDefinition"] == good["taskDefinition"]
        assert [one["id"] for one in service["deployments"]] == [good["id"]]
        assert {task["taskArn"] for task in api.tasks()} == arns
        messages = api.messages()
        assert f"(deployment {failed}) deployment failed: tasks failed to start." in messages
        assert f"rolling back to deployment {good['id']}." in messages
        assert messages[-1] == "has reached a steady state."
        return next(task for task in api.tasks("STOPPED") if task["startedBy"] == failed)

    def test_an_image_that_is_not_there_is_rolled_back(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("missing")
        task = self.rolled_back(api, api.define(image=f"{cluster.image}-missing"))
        assert task["stoppedReason"].startswith("CannotPullContainerError: ")

    def test_a_program_that_exits_at_once_is_rolled_back(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("crash")
        task = self.rolled_back(api, cluster.define("raise SystemExit('the queue is down')"))
        assert cluster.log(task["taskArn"]) == ["the queue is down"]

    def test_a_health_check_that_never_passes_is_rolled_back(self, fleet: Make) -> None:
        api = fleet("never")
        task = self.rolled_back(api, api.define(probe="raise SystemExit(1)"))
        assert task["stoppedReason"] == "Task failed container health checks"

    def test_without_rollback_the_deployment_stays_failed(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("failed")
        only_enabled = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
        api.create(api.define(), deploymentConfiguration=only_enabled).stable()
        api.update(taskDefinition=cluster.define("raise SystemExit(1)"))
        eventually(lambda: api.now()["deployments"][0]["rolloutState"] == "FAILED")
        first, second = api.now()["deployments"]
        assert first["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
        assert first["failedTasks"] >= 3
        assert (second["rolloutState"], second["runningCount"], healthy(api.tasks())) == ("COMPLETED", 2, 2)

    def test_a_first_deployment_has_nothing_to_roll_back_to(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("first").create(cluster.define("raise SystemExit(1)"), count=1, deploymentConfiguration=BREAKER)
        eventually(lambda: "No rollback candidate" in api.now()["deployments"][0]["rolloutStateReason"])
        assert api.tasks() == []

    def test_without_a_breaker_it_tries_again_more_and_more_slowly(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("patient").create(cluster.define("raise SystemExit(1)"), count=1)
        eventually(lambda: "is unable to consistently start tasks successfully." in api.messages())
        assert api.now()["deployments"][0]["rolloutState"] == "IN_PROGRESS"


class TestEnd:
    def test_nothing_is_left_of_it(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("end")
        api.create(api.define()).stable()
        processes = [shim(task) for task in api.tasks()]
        with pytest.raises(ClientError, match="cannot be stopped while it is scaled above 0"):
            api.ecs.delete_service(cluster=cluster.name, service=api.name)
        api.delete()
        assert not any(Path(f"/proc/{pid}").exists() for pid in processes)
        assert (api.now()["status"], api.tasks()) == ("INACTIVE", [])
        assert not any("/end" in arn for arn in api.ecs.list_services(cluster=cluster.name)["serviceArns"])
        with pytest.raises(ClientError, match="ServiceNotActiveException"):
            api.update(desiredCount=1)
        with pytest.raises(ClientError, match="ServiceNotFoundException"):
            api.delete()
        assert api.create(api.define(), count=1).stable()["runningCount"] == 1

    def test_a_cluster_with_services_is_not_deleted(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("empty")
        api.create(api.define(), count=0)
        with pytest.raises(ClientError, match="ClusterContainsServicesException"):
            api.ecs.delete_cluster(cluster=cluster.name)
        described = api.ecs.describe_clusters(clusters=[cluster.name])["clusters"][0]
        assert described["activeServicesCount"] == 1


class TestRequests:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"schedulingStrategy": "DAEMON"}, "DAEMON is not supported by the sandbox"),
            ({"deploymentController": {"type": "EXTERNAL"}}, "is not supported by the sandbox"),
            ({"enableExecuteCommand": True}, "enableExecuteCommand .* is not supported by the sandbox"),
            ({"serviceRegistries": [{"registryArn": "arn"}]}, "serviceRegistries .* is not supported by the sandbox"),
            ({"healthCheckGracePeriodSeconds": 5}, "only valid for services configured to use load balancers"),
            ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "BLUE_GREEN is not supported by the sandbox"),
            ({"deploymentConfiguration": {"maximumPercent": 100}}, "no task could ever be replaced"),
            ({"deploymentConfiguration": {"minimumHealthyPercent": 101}}, "must be between 0 and 100"),
            ({"loadBalancers": [{"targetGroupArn": "arn", "containerPort": 1}]}, "target group does not exist: arn"),
            (
                {"serviceConnectConfiguration": {"enabled": True, "namespace": "nowhere"}},
                "The specified namespace nowhere was not found",
            ),
        ],
    )
    def test_what_is_refused(self, fleet: Make, change: dict[str, Any], message: str) -> None:
        api = fleet("refused")
        with pytest.raises(ClientError, match=message):
            api.create(api.define(), **change)

    def test_a_name_is_taken_once(self, fleet: Make) -> None:
        api = fleet("twice")
        api.create(api.define(), count=0)
        with pytest.raises(ClientError, match="Creation of service was not idempotent"):
            api.create(api.define(), count=0)

    def test_a_service_that_is_not_there(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("absent")
        with pytest.raises(ClientError, match="ServiceNotFoundException"):
            api.update(desiredCount=1)
        answer = api.ecs.describe_services(cluster=cluster.name, services=["absent"])
        assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_tags_reach_the_tasks(fleet: Make, cluster: Deployment) -> None:
    api = fleet("tags")
    tags = [{"key": "deployment", "value": "papers"}]
    api.create(api.define(), count=1, tags=tags, propagateTags="SERVICE", enableECSManagedTags=True).stable()
    [task] = api.tasks()
    found = api.ecs.list_tags_for_resource(resourceArn=task["taskArn"])["tags"]
    managed = {"aws:ecs:clusterName": cluster.name, "aws:ecs:serviceName": "tags"}
    assert {tag["key"]: tag["value"] for tag in found} == {"deployment": "papers", **managed}


def test_what_happens_reaches_eventbridge(fleet: Make, cluster: Deployment) -> None:
    api = fleet("told")
    sqs, events = cluster.client("sqs"), cluster.client("events")
    queue = sqs.create_queue(QueueName="ecs-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    may = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(may)})
    events.put_rule(Name="ecs", EventPattern=json.dumps({"source": ["aws.ecs"]}))
    events.put_targets(Rule="ecs", Targets=[{"Id": "queue", "Arn": arn}])
    service = api.create(api.define(), count=1).stable()
    [task] = api.tasks()
    api.delete()
    told: list[dict[str, Any]] = []

    def stopped() -> bool:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told.extend(json.loads(message["Body"]) for message in found)
        return any(one["detail"].get("lastStatus") == "STOPPED" for one in told)

    eventually(stopped)
    events.remove_targets(Rule="ecs", Ids=["queue"])
    events.delete_rule(Name="ecs")
    own = [one for one in told if task["taskArn"] in one["resources"] or service["serviceArn"] in one["resources"]]
    names = [one["detail"].get("eventName") or one["detail"]["lastStatus"] for one in own]
    assert {"SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"} <= set(names)
    assert {"PENDING", "RUNNING", "STOPPED"} <= set(names)
    last = next(one["detail"] for one in own if one["detail"].get("lastStatus") == "STOPPED")
    assert (last["group"], last["stopCode"]) == ("service:told", "ServiceSchedulerInitiated")
    assert [container["exitCode"] for container in last["containers"]] == [0]


def test_status_lists_tasks_where_they_listen(fleet: Make, sandbox: Sandbox) -> None:
    api = fleet("shown")
    api.create(api.define(), count=1).stable()
    [task] = api.tasks()
    found = next(
        one for one in status.ask(sandbox.state).servers if one.id.endswith(task["taskArn"].rpartition("/")[2])
    )
    assert (found.service, found.status, found.port, found.pid) == ("ecs", "RUNNING", 8000, shim(task))
    assert found.id.startswith("shown/")


def test_a_role_that_deploys_needs_its_service_and_the_roles_that_it_passes(fleet: Make, cluster: Deployment) -> None:
    api, other = fleet("own"), fleet("foreign")
    definition = api.define()
    services = {one.name: one.create(definition, count=0).now()["serviceArn"] for one in (api, other)}
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    update = {"Effect": "Allow", "Action": "ecs:UpdateService", "Resource": services["own"]}
    iam = cluster.client("iam")
    role = iam.create_role(RoleName="deploys", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="deploys", PolicyName="only", PolicyDocument=policy(update))
    key = cluster.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    ecs = boto3.client(
        "ecs",
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
        verify=cluster.sandbox.bundle,
        config=Config(proxies={"https": cluster.sandbox.proxy}),
    )
    ecs.update_service(cluster=cluster.name, service="own", desiredCount=0)
    with pytest.raises(ClientError, match=f"ecs:UpdateService on resource: {services['foreign']}"):
        ecs.update_service(cluster=cluster.name, service="foreign", desiredCount=0)
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {cluster.execution_role}"):
        ecs.update_service(cluster=cluster.name, service="own", taskDefinition=definition)


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class TestServiceConnect:
    ASK = """
import os, time, urllib.error, urllib.request
def ask(url, data=None):
    try:
        print(urllib.request.urlopen(url, data, timeout=20).read().decode().strip(), flush=True)
    except urllib.error.HTTPError as error:
        print(error.code, error.reason, error.read().decode().strip(), flush=True)
"""

    @staticmethod
    def serve(api: Fleet, group: str, **container: Any) -> None:
        """Let a service be called by its own name at port 80."""
        services = [{"portName": "http", "clientAliases": [{"port": 80, "dnsName": api.name}]}]
        connect = {"enabled": True, "namespace": "papers", "services": services}
        network = {"securityGroups": [group]}
        api.create(api.define(**container), network=network, serviceConnectConfiguration=connect).stable()

    def call(self, client: Fleet, group: str, code: str, namespace: str | None = "papers") -> list[str]:
        """Let a service of one task run code, and return its log."""
        connect = {"enabled": bool(namespace), **({"namespace": namespace} if namespace else {})}
        cluster, network = client.deployment, {"securityGroups": [group]}
        definition = cluster.define(f"{self.ASK}{code}\nprint('over', flush=True); time.sleep(60)", stopTimeout=2)
        client.create(definition, count=1, network=network, serviceConnectConfiguration=connect)
        eventually(lambda: "over" in cluster.log(client.tasks()[0]["taskArn"]))
        return cluster.log(client.tasks()[0]["taskArn"])[:-1]

    def test_names_lead_to_healthy_tasks_in_turn(self, fleet: Make, groups: tuple[str, str]) -> None:
        self.serve(fleet("api"), groups[0], command=["-c", WHO])
        log = self.call(fleet("ui"), groups[1], "for _ in range(4): ask('http://api/')")
        assert len(set(log)) == 2
        assert log[:2] == log[2:]

    def test_large_bodies_and_other_protocols_pass(self, fleet: Make, groups: tuple[str, str]) -> None:
        self.serve(fleet("pipe"), groups[0])
        switch = """
import socket
proxy = os.environ["HTTP_PROXY"].removeprefix("http://").split(":")
def switch(first):
    with socket.create_connection(proxy) as connection:
        connection.sendall(first)
        while b"switched" not in (got := connection.recv(4096)):
            if b" 200 " in got:
                connection.sendall(b"GET / HTTP/1.1\\r\\nHost: pipe\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\n")
        connection.sendall(b"and back\\n")
        while not got.endswith(b"back\\n"):
            got = connection.recv(4096)
        print(got.decode().splitlines()[-1], flush=True)
switch(b"GET http://pipe/ HTTP/1.1\\r\\nHost: pipe\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\n")
switch(b"CONNECT pipe:80 HTTP/1.1\\r\\nHost: pipe:80\\r\\n\\r\\n")
"""
        log = self.call(fleet("pump"), groups[1], f"ask('http://pipe/', b'x' * 5_000_000)\n{switch}")
        assert log == ["5000000", "and back", "and back"]

    def test_a_task_is_found_by_its_private_address(self, fleet: Make, groups: tuple[str, str]) -> None:
        server = fleet("address")
        self.serve(server, groups[0])
        [address, _] = [task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for task in server.tasks()]
        log = self.call(fleet("neighbour"), groups[1], f"ask('http://{address}:8000')", namespace=None)
        assert log == ["address"]

    def test_security_groups_hold(self, fleet: Make, groups: tuple[str, str]) -> None:
        self.serve(fleet("guarded"), groups[0])
        [line] = self.call(fleet("stranger"), groups[0], "ask('http://guarded/')")
        assert line.startswith("503 Service Unavailable upstream connect error: connection timeout: no security group")

    def test_names_are_those_of_the_namespace_and_the_port(self, fleet: Make, groups: tuple[str, str]) -> None:
        self.serve(fleet("hidden"), groups[0])
        code = "ask('http://hidden:81/'); ask('http://nobody/')"
        lines = self.call(fleet("lost"), groups[1], code)
        lines += self.call(fleet("outsider"), groups[1], "ask('http://hidden/')", namespace=None)
        assert [line.split(":")[0] for line in lines] == ["403 blocked by the sandbox"] * 3

    def test_the_notebook_is_outside(self, fleet: Make, groups: tuple[str, str], cluster: Deployment) -> None:
        self.serve(fleet("inside"), groups[0])
        answer = requests.get("http://inside/", proxies={"http": cluster.sandbox.proxy}, timeout=10)
        assert (answer.status_code, answer.reason.split(":")[0]) == (403, "blocked by the sandbox")

    def test_a_name_without_ready_tasks_says_so(self, fleet: Make, groups: tuple[str, str]) -> None:
        server = fleet("gone")
        self.serve(server, groups[0])
        server.update(desiredCount=0)
        server.stable()
        [line] = self.call(fleet("waiting"), groups[1], "ask('http://gone/')")
        assert line.startswith("503 Service Unavailable no healthy upstream")


class TestLoadBalancing:
    @staticmethod
    @contextmanager
    def load(cluster: Deployment, url: str) -> Iterator[Counter[str]]:
        """Ask again and again meanwhile, and count the answers."""
        answers: Counter[str] = Counter()
        over = threading.Event()

        def ask() -> None:
            with requests.Session() as session:
                session.trust_env, session.proxies = False, {"http": cluster.sandbox.proxy}
                while not over.wait(0.02):
                    answer = session.get(url, timeout=20)
                    answers[answer.text if answer.ok else str(answer.status_code)] += 1

        asking = threading.Thread(target=ask)
        asking.start()
        eventually(lambda: answers)
        try:
            yield answers
        finally:
            over.set()
            asking.join()

    def test_no_request_is_lost(self, fleet: Make, cluster: Deployment, balancer: Balancer) -> None:
        api = fleet("balanced")
        api.create(api.define("one"), deploymentConfiguration=BREAKER, **balancer.settings).stable()
        with self.load(cluster, balancer.url) as answers:
            api.update(taskDefinition=api.define("two"))
            api.stable()
            api.ecs.stop_task(cluster=cluster.name, task=api.tasks()[0]["taskArn"])
            eventually(lambda: len(api.tasks("STOPPED")) == 3)
            api.stable()
            api.update(
                taskDefinition=api.define(
                    "bad", code=SERVER.replace("(200)", "(500)"), healthCheck={"command": ["NONE"]}
                )
            )
            api.stable()
        assert set(answers) == {"one", "two"}
        reasons = {task["stoppedReason"] for task in api.tasks("STOPPED")}
        assert f"Task failed ELB health checks in (target-group {balancer.group})" in reasons
        assert any("Health checks failed with these codes: [500]" in message for message in api.messages())

    def test_who_leaves_is_deregistered(self, fleet: Make, cluster: Deployment, balancer: Balancer) -> None:
        api = fleet("leaving")
        api.create(api.define(), count=1, **balancer.settings).stable()
        elb = cluster.client("elbv2")
        [target] = elb.describe_target_health(TargetGroupArn=balancer.group)["TargetHealthDescriptions"]
        assert target["TargetHealth"]["State"] == "healthy"
        api.delete()
        assert elb.describe_target_health(TargetGroupArn=balancer.group)["TargetHealthDescriptions"] == []

    def test_a_port_that_no_container_maps(self, fleet: Make, balancer: Balancer) -> None:
        api = fleet("unmapped")
        with pytest.raises(ClientError, match="The container job did not have a container port 8000 defined"):
            api.create(api.define(portMappings=[]), **balancer.settings)
