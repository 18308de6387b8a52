"""The deployment's checklist: passes where all is well, and names each break under the line that it breaks.

One deployment is broken in many ways at once, and mended.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.desk import Desk, Done, proven, unproven
from tests.notebooks.checklists import Checklist, holds

NAME = "ragonometrics"

NETWORK = "Postgres and Redis are on private networking"
BUCKET = "An artifact bucket holds index shards and run manifests, and nobody else gets in"
IMAGES = "The images for the UI and the worker are built and pushed, and are what runs"
SERVICES = "The services run, behind a load balancer that finds them healthy"
ACCESS = "Network policies restrict database access to the services"
WATCHED = "Logs are structured and metrics are watched at the platform layer"
SECRETS = "Secrets are injected at run time, none is in images, task definitions, environment files or logs"
AUDIT = "Access can be audited"


@pytest.fixture(scope="module")
def here(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(deployment, tmp_path_factory.mktemp("desk"))


@contextmanager
def open_bucket(here: Desk) -> Iterator[None]:
    s3 = here.aws("s3")
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith(f"{NAME}-artifacts"))
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(Bucket=bucket)
    yield
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)


@contextmanager
def open_group(here: Desk) -> Iterator[None]:
    ec2 = here.aws("ec2")
    named = [{"Name": "group-name", "Values": [f"{NAME}-database"]}]
    group = ec2.describe_security_groups(Filters=named)["SecurityGroups"][0]["GroupId"]
    world = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[world])
    yield
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[world])


@contextmanager
def public_database(here: Desk) -> Iterator[None]:
    rds = here.aws("rds")

    def make(public: bool) -> None:
        rds.modify_db_instance(DBInstanceIdentifier=f"{NAME}-db", PubliclyAccessible=public, ApplyImmediately=True)
        rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=f"{NAME}-db")

    make(True)
    yield
    make(False)


def revision(here: Desk, part: str, **changes: Any) -> Iterator[None]:
    """Register a revision of a part whose container differs, and take it back."""
    ecs = here.aws("ecs")
    newest = ecs.describe_task_definition(taskDefinition=f"{NAME}-{part}")["taskDefinition"]
    kept = ("family", "executionRoleArn", "networkMode", "requiresCompatibilities", "cpu", "memory")
    containers = [newest["containerDefinitions"][0] | changes]
    made = ecs.register_task_definition(**{key: newest[key] for key in kept}, containerDefinitions=containers)
    yield
    ecs.deregister_task_definition(taskDefinition=made["taskDefinition"]["taskDefinitionArn"])


@contextmanager
def plain_secret(here: Desk) -> Iterator[None]:
    value = here.aws("secretsmanager").get_secret_value(SecretId=f"{NAME}/database")["SecretString"]
    # an innocent name does not hide it
    yield from revision(here, "worker", environment=[{"name": "GREETING", "value": json.loads(value)["password"]}])


@contextmanager
def image_by_tag(here: Desk) -> Iterator[None]:
    ecr = here.aws("ecr").describe_repositories(repositoryNames=[f"{NAME}/ui"])["repositories"][0]
    yield from revision(here, "ui", image=f"{ecr['repositoryUri']}:latest")


@contextmanager
def lost_logs(here: Desk) -> Iterator[None]:
    logs = here.aws("logs")
    logs.delete_log_group(logGroupName=f"/{NAME}/ui")
    yield
    logs.create_log_group(logGroupName=f"/{NAME}/ui", tags={"deployment": NAME, "managed-by": "ragonotebooks"})
    logs.put_retention_policy(logGroupName=f"/{NAME}/ui", retentionInDays=30)


@contextmanager
def lost_alarm(here: Desk) -> Iterator[None]:
    cloudwatch = here.aws("cloudwatch")
    alarm = cloudwatch.describe_alarms(AlarmNames=[f"{NAME}-slow"])["MetricAlarms"][0]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    cloudwatch.delete_alarms(AlarmNames=[f"{NAME}-slow"])
    yield
    told = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    cloudwatch.put_metric_alarm(**{key: value for key, value in alarm.items() if key in told}, Tags=tags)


@contextmanager
def no_api(here: Desk) -> Iterator[None]:
    ecs = here.aws("ecs")
    ecs.update_service(cluster=NAME, service="api", desiredCount=0)
    yield
    ecs.update_service(cluster=NAME, service="api", desiredCount=2)
    ecs.get_waiter("services_stable").wait(cluster=NAME, services=["api"])


@contextmanager
def no_trail(here: Desk) -> Iterator[None]:
    cloudtrail = here.aws("cloudtrail")
    cloudtrail.stop_logging(Name=NAME)
    yield
    cloudtrail.start_logging(Name=NAME)


OWN = "runbooks/aws/checklist"
BREAKS = [
    pytest.param(open_bucket, BUCKET, OWN, r"artifact bucket are closed: it is \[\]", id="the bucket's public doors"),
    pytest.param(open_group, ACCESS, "aws/01-network", "'0.0.0.0/0', 'database', 5432", id="a rule for the world"),
    pytest.param(public_database, NETWORK, "aws/04-database", "it has no public address: it is True", id="public"),
    pytest.param(plain_secret, SECRETS, OWN, r"secret in its environment: it is \['ragonometrics-worker:\d+ GREETING'\]",
                 id="a secret as a plain setting"),
    pytest.param(image_by_tag, IMAGES, OWN, r"image by its digest: it is \['ragonometrics-ui:\d+'\]", id="a tag"),
    pytest.param(lost_logs, WATCHED, OWN, r"log groups is there: it is \['/ragonometrics/ui'\]", id="no log group"),
    pytest.param(lost_alarm, WATCHED, OWN, "an alarm watches latency: it is 'is missing'", id="no alarm"),
    pytest.param(no_api, SERVICES, OWN, "every service runs.*'api': 0", id="no task of the API"),
    pytest.param(no_trail, AUDIT, "aws/10-audit", "the trail writes: it is False", id="a trail that is stopped"),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdict(here: Desk) -> str:
    """The checklist's verdict while everything is broken.

    The database gets its public address later, alone: with the rule it would really let in the world, and the flow log
    does not forget.
    """
    checklist = Checklist(here, "deployment-checklist-aws")
    together = [(one.values[0](here), one.values[2]) for one in BREAKS if one.values[0] is not public_database]
    alone = [(public_database(here), "aws/04-database")]
    return checklist.verdict(here.folder / "together", together) + checklist.verdict(here.folder / "alone", alone)


@pytest.fixture(scope="module")
def healthy(here: Desk, verdict: str) -> Done:
    """All of it verified where nothing is broken any more."""
    return Checklist(here, "deployment-checklist-aws").verify(here.folder / "healthy")


@pytest.mark.parametrize(("broken", "line", "notebook", "said"), BREAKS)
def test_a_break_is_found_and_named_under_its_line(
    verdict: str, broken: Any, line: str, notebook: str, said: str
) -> None:
    holds(verdict, line, said)


def test_a_healthy_deployment_passes_every_line(here: Desk, healthy: Done) -> None:
    Checklist(here, "deployment-checklist-aws").passes(healthy, here.folder / "healthy")


def test_the_committed_lessons_prove_what_a_verification_proves(here: Desk, healthy: Done) -> None:
    committed, found = proven(here), proven(here, "--run", str(here.folder / "healthy"))
    assert unproven(found, committed) == []
    for exam in ("DEA-C01", "MLA-C01", "MLA-C02", "SAA-C03"):
        assert any(found[exam].values()), exam
