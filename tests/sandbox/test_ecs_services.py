"""ECS services: the desired count is kept, releases roll, bad ones roll back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.services import BREAKER, Fleet, Make, fleets, shim
from tests.sandbox.tasks import Deployment, deploy


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "services")


@pytest.fixture
def fleet(cluster: Deployment) -> Iterator[Make]:
    with fleets(cluster) as make:
        yield make


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

    def test_beside_a_task_that_works_it_tries_more_and_more_slowly_too(self, fleet: Make, cluster: Deployment) -> None:
        secretsmanager, api = cluster.client("secretsmanager"), fleet("beside")
        secret = secretsmanager.create_secret(Name="beside", SecretString="x")["ARN"]
        api.create(api.define(secrets=[{"name": "X", "valueFrom": secret}]), count=1).stable()
        secretsmanager.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        api.update(desiredCount=2)
        eventually(lambda: "is unable to consistently start tasks successfully." in api.messages())
        assert api.now()["runningCount"] == 1


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
