"""Release a commit of one service, and take it back when it is bad. Runs in a build, in the folder of the source.

The image of the commit is pushed unless it is there, a new revision is rolled out and watched; when it is bad, the one before
runs again and the build fails.

DEPLOYMENT names the deployment, PART the service, WATCH_SECONDS how long its alarm is watched at least.
"""

import base64
import os
import time
from datetime import UTC, datetime
from typing import Any

import boto3
import releasing
import requests
from releasing import Look, moments, say, tag

from ragonotebooks.images import Registry

DEPLOYMENT, PART = os.environ["DEPLOYMENT"], os.environ["PART"]
WATCH_SECONDS = float(os.environ["WATCH_SECONDS"])
REPOSITORY = f"{DEPLOYMENT}/releases"
CERTIFICATES = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
COPIED = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "requiresCompatibilities", "cpu", "memory")

ecr, ecs, cloudwatch = boto3.client("ecr"), boto3.client("ecs"), boto3.client("cloudwatch")


def stored() -> str | None:
    """The digest of this commit's image when it is in the registry."""
    try:
        found = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag()}])["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return None
    return str(found[0]["imageDigest"])


def registry() -> Registry:
    login = ecr.get_authorization_token()["authorizationData"][0]
    username, password = base64.b64decode(login["authorizationToken"]).decode().split(":", 1)
    return Registry(login["proxyEndpoint"], username, password)


def service() -> dict[str, Any]:
    found: dict[str, Any] = ecs.describe_services(cluster=DEPLOYMENT, services=[PART])["services"][0]
    return found


def definition(arn: str) -> dict[str, Any]:
    found: dict[str, Any] = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    return found


def make_image() -> None:
    """Push the image that runs now with the code of this commit in place of its uppermost layer."""
    if digest := stored():
        say(f"{tag()} is there: {digest}")
        return
    running = definition(service()["taskDefinition"])["taskDefinition"]["containerDefinitions"][0]["image"]
    repository, _, digest = running.partition("/")[2].partition("@")
    there, certificates = registry(), {"rds-ca.pem": requests.get(CERTIFICATES, timeout=30).content}
    image = releasing.with_code(there.pull(repository, digest), "requirements.txt", certificates)
    say(f"pushed {tag()}: {there.push(image, REPOSITORY, tag(), repository)}")


def deploy() -> None:
    """Roll this commit out unless it runs already; when it is bad, go back and fail."""
    before, image = service()["taskDefinition"], f"{registry().host}/{REPOSITORY}@{stored()}"
    if definition(before)["taskDefinition"]["containerDefinitions"][0]["image"] == image:
        say(f"released {before} before")
        return
    if problem := gone_off(alarm()):
        raise SystemExit(f"{problem} before anything was released: find out why")
    after = register(before, image)
    say(f"from {before} to {after}")
    if problem := roll_out(after, watched=True) or watch():
        say(f"bad: {problem}")
        stuck = roll_out(before, watched=False)
        ecs.deregister_task_definition(taskDefinition=after)
        raise SystemExit(f"not rolled back: {stuck}" if stuck else f"rolled back to {before}: {problem}")
    say(f"released {after}")


def register(before: str, image: str) -> str:
    """A new revision that differs from the one before in its image."""
    there = definition(before)
    about = there["taskDefinition"]
    container, digest = about["containerDefinitions"][0], image.rpartition("@")[2]
    told = [{**one, "value": digest} if one["name"] == "IMAGE_DIGEST" else one for one in container["environment"]]
    containers = [{**container, "image": image, "environment": told}]
    same = {key: about[key] for key in COPIED if key in about}
    made = ecs.register_task_definition(**same, containerDefinitions=containers, tags=there["tags"])
    return str(made["taskDefinition"]["taskDefinitionArn"])


def roll_out(revision: str, *, watched: bool) -> str | None:
    """Point the service at a revision and wait until nothing else runs; return what went wrong.

    The first new task is asked while others still start, so the alarm is watched from then on.
    """
    ecs.update_service(cluster=DEPLOYMENT, service=PART, taskDefinition=revision)
    for _ in moments():
        deployments = service()["deployments"]
        newest = next(deployment for deployment in deployments if deployment["status"] == "PRIMARY")
        if newest["taskDefinition"] != revision or newest["rolloutState"] == "FAILED":
            return str(newest["rolloutStateReason"])
        if newest["rolloutState"] == "COMPLETED" and len(deployments) == 1:
            return None
        if watched and (problem := gone_off(alarm())):
            return problem
    return f"{revision} does not run after {releasing.PATIENCE} seconds: {service()['events'][0]['message']}"


def watch() -> str | None:
    """Return why the release is bad; None when it has given enough answers and its alarm stays off."""
    began = time.time()
    known = sum(counted(alarm(), "RequestCount", began))

    def look() -> Look:
        now = alarm()
        answers = sum(counted(now, "RequestCount", began)) - known
        # errors that are counted already set the alarm off when it is evaluated next
        calm = max(counted(now, now["MetricName"], began), default=0) <= now["Threshold"]
        return Look(answers, gone_off(now), calm)

    return releasing.watch(look, WATCH_SECONDS)


def alarm() -> dict[str, Any]:
    found: dict[str, Any] = cloudwatch.describe_alarms(AlarmNames=[f"{DEPLOYMENT}-release"])["MetricAlarms"][0]
    return found


def gone_off(alarm: dict[str, Any]) -> str | None:
    return f"the alarm {alarm['AlarmName']} went off" if alarm["StateValue"] == "ALARM" else None


def counted(alarm: dict[str, Any], metric: str, since: float) -> list[float]:
    """The sums of a metric of what an alarm watches, one for each of its periods from the one of a time on."""
    period, same = alarm["Period"], {key: alarm[key] for key in ("Namespace", "Dimensions", "Period")}
    time_range = {"StartTime": datetime.fromtimestamp(since // period * period, UTC), "EndTime": datetime.now(UTC)}
    points = cloudwatch.get_metric_statistics(**same, **time_range, MetricName=metric, Statistics=["Sum"])
    return [point["Sum"] for point in points["Datapoints"]]


if __name__ == "__main__":
    releasing.speak()
    make_image()
    deploy()
