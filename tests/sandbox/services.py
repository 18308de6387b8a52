"""Services of the small deployment of `tasks`: an HTTP server that says its name, and what the API says of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.sandbox.tasks import Deployment

#: Answers every request with `NAME`, says goodbye when it is asked to end.
SERVER = """
import http.server, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", "echo")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(b"switched\\n")
            self.wfile.write(self.rfile.readline())
            self.close_connection = True
        else:
            self.answer(os.environ["NAME"].encode())
    def do_POST(self):
        size = int(self.headers["Content-Length"])
        self.answer(str(len(self.rfile.read(size))).encode())
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(0)))
print("up", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Answer).serve_forever()
"""
_PROBE = "import urllib.request as u; u.urlopen('http://localhost:8000')"
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@dataclass(frozen=True)
class Fleet:
    """One service.

    Attributes:
        deployment: Where it runs.
        name: Its name.
    """

    deployment: Deployment
    name: str

    @property
    def ecs(self) -> Any:
        """The operator's client."""
        return self.deployment.client("ecs")

    def define(self, says: str = "", code: str = SERVER, probe: str = _PROBE, **container: Any) -> str:
        """Register a server's task definition and return its ARN; `says` is what it answers, the service's name unless given."""
        check = {"command": ["CMD", "python", "-c", probe], "interval": 5, "retries": 2}
        return self.deployment.define(
            code,
            **{
                "environment": [{"name": "NAME", "value": says or self.name}],
                "portMappings": [{"containerPort": 8000, "name": "http"}],
                "healthCheck": check,
                "stopTimeout": 5,
                **container,
            },
        )

    def create(self, definition: str, count: int = 2, network: dict[str, Any] | None = None, **more: Any) -> "Fleet":
        """Create the service where it reaches everything unless told otherwise."""
        place = {"subnets": [self.deployment.subnet], "assignPublicIp": "ENABLED", **(network or {})}
        self.ecs.create_service(
            cluster=self.deployment.name,
            serviceName=self.name,
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": place},
            **more,
        )
        return self

    def update(self, **more: Any) -> None:
        """Update the service."""
        self.ecs.update_service(cluster=self.deployment.name, service=self.name, **more)

    def stable(self) -> dict[str, Any]:
        """The service when it is stable."""
        self.ecs.get_waiter("services_stable").wait(cluster=self.deployment.name, services=[self.name])
        return self.now()

    def now(self) -> dict[str, Any]:
        """The service as it is now."""
        [service] = self.ecs.describe_services(cluster=self.deployment.name, services=[self.name])["services"]
        return dict(service)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        """Its tasks, by the status that they shall have."""
        arns = self.ecs.list_tasks(cluster=self.deployment.name, serviceName=self.name, desiredStatus=status)[
            "taskArns"
        ]
        return list(self.ecs.describe_tasks(cluster=self.deployment.name, tasks=arns)["tasks"]) if arns else []

    def messages(self) -> list[str]:
        """What it has come to, oldest first, without its name."""
        return [event["message"].partition(") ")[2] for event in reversed(self.now()["events"])]

    def delete(self) -> None:
        """End it with all its tasks."""
        self.ecs.delete_service(cluster=self.deployment.name, service=self.name, force=True)
        self.ecs.get_waiter("services_inactive").wait(cluster=self.deployment.name, services=[self.name])


@dataclass(frozen=True)
class Balancer:
    """A load balancer on the internet, whose only listener forwards to one target group.

    Attributes:
        url: Where it answers.
        group: The target group's ARN.
        within: The security group of its targets, which admits it alone.
    """

    url: str
    group: str
    within: str

    @property
    def settings(self) -> dict[str, Any]:
        """What a service says that is behind it."""
        return {
            "network": {"securityGroups": [self.within]},
            "loadBalancers": [{"targetGroupArn": self.group, "containerName": "job", "containerPort": 8000}],
            "healthCheckGracePeriodSeconds": 2,
        }


def balance(deployment: Deployment, block: str) -> Balancer:
    """Make a load balancer in the deployment's subnet and one in another zone, made with this CIDR block."""
    elb, ec2 = deployment.client("elbv2"), deployment.client("ec2")
    [taken] = ec2.describe_subnets(SubnetIds=[deployment.subnet])["Subnets"]
    zone = next(one for one in ("us-east-1a", "us-east-1b") if one != taken["AvailabilityZone"])
    another = ec2.create_subnet(VpcId=deployment.vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
    front, within = (security_group(deployment, name) for name in ("balancer", "balanced"))
    admit(deployment, front, 80, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    admit(deployment, within, 8000, {"UserIdGroupPairs": [{"GroupId": front}]})
    [made] = elb.create_load_balancer(
        Name=deployment.name, Subnets=[deployment.subnet, another], SecurityGroups=[front]
    )["LoadBalancers"]
    [group] = elb.create_target_group(
        Name=deployment.name,
        Protocol="HTTP",
        Port=8000,
        VpcId=deployment.vpc,
        TargetType="ip",
        HealthCheckIntervalSeconds=5,
    )["TargetGroups"]
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    return Balancer(f"http://{made['DNSName']}/", group["TargetGroupArn"], within)


def security_group(deployment: Deployment, name: str) -> str:
    """Make a security group that admits nobody and return its id."""
    made = deployment.client("ec2").create_security_group(GroupName=name, Description=name, VpcId=deployment.vpc)
    return str(made["GroupId"])


def admit(deployment: Deployment, group: str, port: int, source: dict[str, Any]) -> None:
    """Let a security group admit a source at a TCP port."""
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
    deployment.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])


#: Makes a fleet by its name.
Make = Callable[[str], Fleet]


@contextmanager
def fleets(cluster: Deployment) -> Iterator[Make]:
    """Makes fleets by their names, and deletes them afterwards."""
    made: list[Fleet] = []

    def make(name: str) -> Fleet:
        made.append(Fleet(cluster, name))
        return made[-1]

    yield make
    found = cluster.client("ecs").list_services(cluster=cluster.name)["serviceArns"]
    for one in made:
        if any(arn.endswith(f"/{one.name}") for arn in found):
            one.delete()


def shim(task: dict[str, Any]) -> int:
    """The process that heads a task."""
    return int(task["containers"][0]["runtimeId"].rpartition("-")[2])
