"""Services find each other by Service Connect, and load balancers find their tasks."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.services import BREAKER, SERVER, Balancer, Fleet, Make, admit, balance, fleets, security_group
from tests.sandbox.tasks import Deployment, deploy

# answers with the task's own name
WHO = SERVER.replace('os.environ["NAME"]', 'os.environ["HOME"]')


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "connect")


@pytest.fixture
def fleet(cluster: Deployment) -> Iterator[Make]:
    with fleets(cluster) as make:
        yield make


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
        answer = requests.get("http://inside/", proxies={"http": cluster.sandbox.proxy}, timeout=60)
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
