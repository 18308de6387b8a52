"""Application Load Balancers in the sandbox: tasks behind a name, as the API and the network say."""

import http.client
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.front import OPERATOR_ADDRESS
from ragonotebooks.sandbox.status import Server, ask
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.services import Fleet
from tests.sandbox.tasks import Deployment, deploy

EVERYWHERE = [{"CidrIp": "0.0.0.0/0"}]


@dataclass(frozen=True)
class Web:
    """A load balancer with a listener at port 80, in front of a service of two tasks.

    Attributes:
        cluster: Where the service runs.
        balancer: The load balancer's description.
        groups: The ids of the security groups of the load balancer and of the tasks.
        target_group: The target group's ARN.
        listener: The listener's ARN.
        subnets: Two, in different zones.
    """

    cluster: Deployment
    balancer: dict[str, Any]
    groups: tuple[str, str]
    target_group: str
    listener: str
    subnets: list[str]

    @property
    def elb(self) -> Any:
        """The operator's client."""
        return self.cluster.client("elbv2")

    @property
    def host(self) -> str:
        """The load balancer's name."""
        return str(self.balancer["DNSName"])

    def session(self) -> requests.Session:
        """A client that calls through the gateway."""
        session = requests.Session()
        proxy = self.cluster.sandbox.proxy
        session.trust_env, session.proxies = False, {"http": proxy, "https": proxy}
        return session

    def get(self, path: str = "/") -> requests.Response:
        """One request to the load balancer's name."""
        with self.session() as session:
            return session.get(f"http://{self.host}{path}", timeout=20)

    def link(self) -> Server:
        """The listener as the sandbox's status shows it."""
        found = ask(self.cluster.sandbox.state).servers
        return next(one for one in found if (one.service, one.id) == ("elasticloadbalancing", "web:80"))

    def states(self) -> list[str]:
        """The states of all targets."""
        described = self.elb.describe_target_health(TargetGroupArn=self.target_group)["TargetHealthDescriptions"]
        return sorted(one["TargetHealth"]["State"] for one in described)


@pytest.fixture(scope="module")
def web(sandbox: Sandbox) -> Iterator[Web]:
    cluster = deploy(sandbox, "balanced")
    elb, ec2 = cluster.client("elbv2"), cluster.client("ec2")
    zone = ec2.describe_subnets(SubnetIds=[cluster.subnet])["Subnets"][0]["AvailabilityZone"]
    other = "us-east-1b" if zone == "us-east-1a" else "us-east-1a"
    second = ec2.create_subnet(VpcId=cluster.vpc, CidrBlock="10.7.2.0/24", AvailabilityZone=other)["Subnet"]["SubnetId"]
    outer = open_group(ec2, cluster.vpc, "outer", 80, IpRanges=EVERYWHERE)
    inner = open_group(ec2, cluster.vpc, "inner", 8000, UserIdGroupPairs=[{"GroupId": outer}])
    subnets = [cluster.subnet, second]
    balancer = elb.create_load_balancer(Name="web", Subnets=subnets, SecurityGroups=[outer])["LoadBalancers"][0]
    # a machine that stalls for seconds takes no target out
    target_group = make_group(elb, cluster.vpc, "web", UnhealthyThresholdCount=10)
    forward = [{"Type": "forward", "TargetGroupArn": target_group}]
    arn = balancer["LoadBalancerArn"]
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    fleet = Fleet(cluster, "web")
    fleet.create(
        fleet.define(),
        network={"securityGroups": [inner]},
        loadBalancers=[{"targetGroupArn": target_group, "containerName": "job", "containerPort": 8000}],
    ).stable()
    yield Web(cluster, balancer, (outer, inner), target_group, listener["Listeners"][0]["ListenerArn"], subnets)
    fleet.delete()
    elb.delete_load_balancer(LoadBalancerArn=arn)


def open_group(ec2: Any, vpc: str, name: str, port: int, **source: Any) -> str:
    """A security group that admits one source to one port."""
    group = str(ec2.create_security_group(GroupName=name, Description="for a test", VpcId=vpc)["GroupId"])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule(port, **source)])
    return group


def rule(port: int, **source: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}


def make_group(elb: Any, vpc: str, name: str, **more: Any) -> str:
    """A target group whose checks follow each other as soon as AWS allows."""
    often = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
    settings = {"TargetType": "ip", **often, "UnhealthyThresholdCount": 2, **more}
    made = elb.create_target_group(Name=name, Protocol="HTTP", Port=8000, VpcId=vpc, **settings)
    return str(made["TargetGroups"][0]["TargetGroupArn"])


class TestReach:
    def test_the_name_leads_to_healthy_tasks(self, web: Web) -> None:
        assert (web.states(), web.get().text) == (["healthy", "healthy"], "web")

    def test_a_tunnel_to_the_name_carries_other_protocols(self, web: Web) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", web.cluster.sandbox.state.port, timeout=20)
        connection.set_tunnel(web.host, 80)
        connection.connect()
        upgrade = f"GET / HTTP/1.1\r\nHost: {web.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        connection.sock.sendall(upgrade.encode())
        with connection.sock.makefile("rwb") as stream:
            head = iter(stream.readline, b"\r\n")
            assert next(head).startswith(b"HTTP/1.1 101 ")
            assert b"Upgrade: echo\r\n" in list(head)
            assert stream.readline() == b"switched\n"
            stream.write(b"hello\n")
            stream.flush()
            assert stream.readline() == b"hello\n"
        connection.close()

    def test_a_browser_of_this_machine_has_a_link(self, web: Web) -> None:
        link = web.link()
        answer = requests.get(f"http://{link.address}:{link.port}/", timeout=20, proxies={"http": ""})
        assert (answer.text, link.address, link.status) == ("web", "127.0.0.1", "active")

    def test_one_connection_to_the_gateway_reaches_what_each_request_names(self, web: Web) -> None:
        with web.session() as session:
            hosts = [web.host, "checkip.amazonaws.com", web.host, "example.com", web.host]
            answers = [session.get(f"http://{host}/", timeout=20) for host in hosts]
        assert [one.text.strip() for one in answers] == ["web", OPERATOR_ADDRESS, "web", "", "web"]
        assert answers[3].status_code == 403

    def test_200_requests_at_once_are_answered(self, web: Web) -> None:
        with ThreadPoolExecutor(200) as threads:
            assert {one.text for one in threads.map(lambda _: web.get(), range(200))} == {"web"}

    def test_a_port_without_a_listener_and_a_name_without_a_load_balancer_lead_nowhere(self, web: Web) -> None:
        with web.session() as session:
            answer = session.get(f"http://{web.host}:8080/", timeout=20)
            assert (answer.status_code, answer.reason) == (403, f"{web.host} has no listener at port 8080")
            name = "none-1.us-east-1.elb.amazonaws.com"
            answer = session.get(f"http://{name}/", timeout=20)
            assert (answer.status_code, answer.reason) == (403, f"no load balancer is named {name}")

    def test_the_load_balancers_security_group_decides_about_its_callers(self, web: Web) -> None:
        ec2, outer = web.cluster.client("ec2"), web.groups[0]
        everyone = {"GroupId": outer, "IpPermissions": [rule(80, IpRanges=EVERYWHERE)]}
        ec2.revoke_security_group_ingress(**everyone)
        try:
            answer = web.get()
            assert answer.status_code == 403
            assert answer.reason == f"no security group of {web.host} admits {OPERATOR_ADDRESS} at port 80"
        finally:
            ec2.authorize_security_group_ingress(**everyone)
        assert web.get().status_code == 200

    def test_an_internal_load_balancer_is_reached_from_inside_alone(self, web: Web) -> None:
        arguments = {"Name": "inside", "Subnets": web.subnets, "SecurityGroups": [web.groups[0]], "Scheme": "internal"}
        [balancer] = web.elb.create_load_balancer(**arguments)["LoadBalancers"]
        arn, host = balancer["LoadBalancerArn"], balancer["DNSName"]
        response = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "inside"}}
        web.elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[response])
        with web.session() as session:
            answer = session.get(f"http://{host}/", timeout=20)
        assert host.startswith("internal-inside-")
        assert (answer.status_code, "is internal" in answer.reason) == (403, True)
        code = f"import urllib.request as u; print(u.urlopen('http://{host}/').read().decode())"
        _, lines = web.cluster.run(code)
        assert lines == ["inside"]
        web.elb.delete_load_balancer(LoadBalancerArn=arn)


class TestTargets:
    def test_the_tasks_security_group_decides_whether_the_load_balancer_reaches_them(self, web: Web) -> None:
        ec2, (outer, inner) = web.cluster.client("ec2"), web.groups
        group = make_group(web.elb, web.cluster.vpc, "closed", HealthCheckPath="/")
        web.elb.create_rule(
            ListenerArn=web.listener,
            Priority=7,
            Conditions=[{"Field": "path-pattern", "Values": ["/closed"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        balancer = {"GroupId": inner, "IpPermissions": [rule(8000, UserIdGroupPairs=[{"GroupId": outer}])]}
        [one, _] = web.elb.describe_target_health(TargetGroupArn=web.target_group)["TargetHealthDescriptions"]
        ec2.revoke_security_group_ingress(**balancer)
        try:
            web.elb.register_targets(TargetGroupArn=group, Targets=[one["Target"]])

            def health() -> dict[str, Any]:
                [described] = web.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
                return dict(described["TargetHealth"])

            eventually(lambda: health()["State"] == "unhealthy")
            assert health()["Reason"] == "Target.Timeout"
            assert web.get("/closed").status_code == 504
        finally:
            ec2.authorize_security_group_ingress(**balancer)
        eventually(lambda: health()["State"] == "healthy")
        assert web.get("/closed").text == "web"

    def test_the_waiters_know_when_a_target_is_in_service_and_when_it_has_left(self, web: Web) -> None:
        group = make_group(web.elb, web.cluster.vpc, "waited")
        [rule_] = web.elb.create_rule(
            ListenerArn=web.listener,
            Priority=8,
            Conditions=[{"Field": "path-pattern", "Values": ["/waited"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )["Rules"]
        [one, two] = web.elb.describe_target_health(TargetGroupArn=web.target_group)["TargetHealthDescriptions"]
        targets = {"TargetGroupArn": group, "Targets": [one["Target"], two["Target"]]}
        web.elb.register_targets(**targets)
        web.elb.get_waiter("target_in_service").wait(**targets)
        web.elb.deregister_targets(**targets)
        web.elb.get_waiter("target_deregistered").wait(**targets)
        described = web.elb.describe_target_health(**targets)["TargetHealthDescriptions"]
        assert {one["TargetHealth"]["Reason"] for one in described} == {"Target.NotRegistered"}
        web.elb.delete_rule(RuleArn=rule_["RuleArn"])
        web.elb.delete_target_group(TargetGroupArn=group)

    def test_two_ports_of_an_address_are_two_targets(self, web: Web) -> None:
        group = make_group(web.elb, web.cluster.vpc, "ports")
        targets = [{"Id": "10.7.1.200", "Port": port} for port in (8000, 8001)]
        web.elb.register_targets(TargetGroupArn=group, Targets=targets)
        described = web.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        assert [one["Target"] for one in described] == targets
        assert {one["TargetHealth"]["Reason"] for one in described} == {"Target.NotInUse"}
        web.elb.deregister_targets(TargetGroupArn=group, Targets=targets[:1])
        # it drains until the load balancer says that no request of it is left
        web.elb.get_waiter("target_deregistered").wait(TargetGroupArn=group, Targets=targets[:1])
        described = web.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        assert [one["Target"] for one in described] == targets[1:]

    def test_a_killed_process_is_replaced_and_knows_what_the_first_knew(self, web: Web) -> None:
        before = web.link().pid
        assert before
        os.kill(before, signal.SIGKILL)
        eventually(lambda: web.link().pid not in (None, before))
        eventually(lambda: web.states() == ["healthy", "healthy"])
        assert web.get().text == "web"

    def test_what_it_did_can_be_read_from_cloudwatch(self, web: Web) -> None:
        cloudwatch = web.cluster.client("cloudwatch")
        web.get()
        full = web.balancer["LoadBalancerArn"].partition(":loadbalancer/")[2]
        group = web.target_group.rpartition(":")[2]

        def points(name: str, statistic: str, *dimensions: dict[str, str]) -> list[float]:
            found = cloudwatch.get_metric_statistics(
                Namespace="AWS/ApplicationELB",
                MetricName=name,
                Dimensions=[{"Name": "LoadBalancer", "Value": full}, *dimensions],
                StartTime=datetime.now(UTC) - timedelta(minutes=10),
                EndTime=datetime.now(UTC) + timedelta(minutes=1),
                Period=3600,
                Statistics=[statistic],
            )["Datapoints"]
            return [point[statistic] for point in found]

        eventually(lambda: sum(points("RequestCount", "Sum")) >= 1)
        assert all(0 < seconds < 10 for seconds in points("TargetResponseTime", "Average"))
        # Near the full hour there are two periods, each with its own maximum.
        assert max(points("HealthyHostCount", "Maximum", {"Name": "TargetGroup", "Value": group})) == 2


class TestApi:
    def test_a_load_balancer_is_available_at_once_and_has_an_interface_in_each_subnet(self, web: Web) -> None:
        web.elb.get_waiter("load_balancer_available").wait(Names=["web"])
        filters = [{"Name": "description", "Values": [f"ELB app/web/{web.balancer['LoadBalancerArn'][-16:]}"]}]
        interfaces = web.cluster.client("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        assert sorted(one["SubnetId"] for one in interfaces) == sorted(web.subnets)

    def test_its_defaults_are_those_of_aws(self, web: Web) -> None:
        arn = web.balancer["LoadBalancerArn"]
        listed = web.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        attributes = {one["Key"]: one["Value"] for one in listed}
        assert (web.balancer["Scheme"], attributes["idle_timeout.timeout_seconds"]) == ("internet-facing", "60")

    def test_rules_are_taken_in_the_order_of_their_priorities(self, web: Web) -> None:
        made = [
            web.elb.create_rule(
                ListenerArn=web.listener,
                Priority=priority,
                Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/ordered"]}}],
                Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": code}}],
            )["Rules"][0]["RuleArn"]
            for priority, code in ((20, "404"), (10, "202"))
        ]
        assert web.get("/ordered").status_code == 202
        web.elb.set_rule_priorities(RulePriorities=[{"RuleArn": made[0], "Priority": 5}])
        assert web.get("/ordered").status_code == 404
        for arn in made:
            web.elb.delete_rule(RuleArn=arn)
        assert web.get("/ordered").text == "web"

    def test_a_changed_health_check_holds(self, web: Web) -> None:
        change = {"HealthCheckPath": "/other", "Matcher": {"HttpCode": "200-299"}, "HealthCheckIntervalSeconds": 6}
        web.elb.modify_target_group(TargetGroupArn=web.target_group, **change)
        [group] = web.elb.describe_target_groups(TargetGroupArns=[web.target_group])["TargetGroups"]
        assert change.items() <= group.items()
        assert group["LoadBalancerArns"] == [web.balancer["LoadBalancerArn"]]

    def test_a_protected_load_balancer_is_not_deleted(self, web: Web) -> None:
        arn = web.balancer["LoadBalancerArn"]
        for value in ("true", "false"):
            attribute = {"Key": "deletion_protection.enabled", "Value": value}
            web.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])
            if value == "true":
                with pytest.raises(ClientError, match="OperationNotPermitted"):
                    web.elb.delete_load_balancer(LoadBalancerArn=arn)

    @pytest.mark.parametrize(
        ("error", "operation", "change"),
        [
            ("DuplicateLoadBalancerName", "create_load_balancer", {"Name": "web"}),
            ("At least two subnets", "create_load_balancer", {"Subnets": "one"}),
            ("CreateLoadBalancer with Type network is not supported", "create_load_balancer", {"Type": "network"}),
            ("IpAddressType dualstack is not supported", "create_load_balancer", {"IpAddressType": "dualstack"}),
            ("Protocol HTTPS is not supported", "create_listener", {"Protocol": "HTTPS", "Port": 443}),
            ("TargetType instance is not supported", "create_target_group", {"TargetType": "instance"}),
            ("Protocol HTTPS is not supported", "create_target_group", {"Protocol": "HTTPS"}),
            ("DuplicateListener", "create_listener", {"Port": 80}),
            ("an action authenticate-oidc is not supported", "create_rule", {"Type": "authenticate-oidc"}),
            ("InvalidTarget", "register_targets", {"Id": "192.0.2.1"}),
            ("slow_start.duration_seconds 30 is not supported", "modify_target_group_attributes", {}),
            ("access_logs.s3.enabled true is not supported", "modify_load_balancer_attributes", {}),
        ],
    )
    def test_what_cannot_be_is_refused_by_name(
        self, web: Web, error: str, operation: str, change: dict[str, Any]
    ) -> None:
        balancer, group = {"LoadBalancerArn": web.balancer["LoadBalancerArn"]}, {"TargetGroupArn": web.target_group}
        forward = {"Type": "forward", **group}
        slow = {"Key": "slow_start.duration_seconds", "Value": "30"}
        path = {"Field": "path-pattern", "Values": ["/x"]}
        if "Subnets" in change:
            change = {"Subnets": web.subnets[:1]}
        arguments: dict[str, Any] = {
            "create_load_balancer": {"Name": "another", "Subnets": web.subnets, **change},
            "create_target_group": {"Name": "g", "Protocol": "HTTP", "Port": 80, "VpcId": web.cluster.vpc, **change},
            "create_listener": {**balancer, "Protocol": "HTTP", "Port": 81, "DefaultActions": [forward], **change},
            "create_rule": {
                "ListenerArn": web.listener,
                "Priority": 99,
                "Conditions": [path],
                "Actions": [{"Type": "forward", **change}],
            },
            "register_targets": {**group, "Targets": [change]},
            "modify_target_group_attributes": {**group, "Attributes": [slow]},
            "modify_load_balancer_attributes": {
                **balancer,
                "Attributes": [{"Key": "access_logs.s3.enabled", "Value": "true"}],
            },
        }[operation]
        if operation == "create_target_group" and "TargetType" not in change:
            arguments["TargetType"] = "ip"
        with pytest.raises(ClientError, match=error):
            getattr(web.elb, operation)(**arguments)
