"""Release a commit of one service, and take it back when it is bad. Runs in a build, in the folder of the source.

The image of the commit is pushed unless it is there, a new revision is rolled out and watched; when it is bad, the one before
runs again and the build fails.

DEPLOYMENT names the deployment, PART the service, WATCH_SECONDS how long its alarm is watched at least.
"""

import base64
import hashlib
import io
import logging
import os
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import requests

from ragonotebooks.images import Image, Registry, append, layer_of_files

DEPLOYMENT, PART = os.environ["DEPLOYMENT"], os.environ["PART"]
WATCH_SECONDS = float(os.environ["WATCH_SECONDS"])
ANSWERS = 20  # by no fewer is a release judged
PATIENCE = 600  # seconds, for a rollout, and for the answers
REPOSITORY = f"{DEPLOYMENT}/releases"
CERTIFICATES = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
COPIED = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "requiresCompatibilities", "cpu", "memory")

ecr, ecs, cloudwatch = boto3.client("ecr"), boto3.client("ecs"), boto3.client("cloudwatch")
say = logging.getLogger("release").info


def code() -> dict[str, Path]:
    """The files of the commit that go into the image."""
    files = sorted(path for path in Path("workload").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path): path for path in files}


def tag() -> str:
    """The image's tag, made from the files: the same commit is the same image."""
    content = hashlib.sha256()
    for place, path in code().items():
        content.update(place.encode() + path.read_bytes())
    return content.hexdigest()[:12]


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
    there = registry()
    base = without_code(there.pull(repository, digest))
    layer = layer_of_files({**code(), "rds-ca.pem": requests.get(CERTIFICATES, timeout=30).content})
    say(f"pushed {tag()}: {there.push(append(base, [layer]), REPOSITORY, tag())}")


def without_code(image: Image) -> Image:
    """The image without its uppermost layer, which holds code that wants the same packages as this commit."""
    with image.layers[-1].open() as packed, tarfile.open(fileobj=io.BytesIO(packed.read())) as layer:
        wanted = layer.extractfile("app/workload/requirements.txt")
        if wanted is None or wanted.read() != Path("workload/requirements.txt").read_bytes():
            raise SystemExit("requirements.txt has changed: other packages need a whole new image")
    rootfs = image.config["rootfs"]
    config = {**image.config, "rootfs": {**rootfs, "diff_ids": rootfs["diff_ids"][:-1]}}
    if config.get("history"):
        config["history"] = config["history"][:-1]
    return replace(image, config=config, layers=image.layers[:-1])


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
    containers = [{**about["containerDefinitions"][0], "image": image}]
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
    return f"{revision} does not run after {PATIENCE} seconds: {service()['events'][0]['message']}"


def watch() -> str | None:
    """Return why the release is bad; None when it has given enough answers and its alarm stays off.

    A clock alone proves nothing: where nobody asks nothing fails, and metrics come late.
    """
    began = time.time()
    known = sum(counted(alarm(), "RequestCount", began))
    for passed in moments():
        now = alarm()
        if problem := gone_off(now):
            return problem
        answers = sum(counted(now, "RequestCount", began)) - known
        # errors that are counted already set the alarm off when it is evaluated next
        calm = max(counted(now, now["MetricName"], began), default=0) <= now["Threshold"]
        if passed >= WATCH_SECONDS and answers >= ANSWERS and calm:
            say(f"{answers:.0f} answers in {passed:.0f} s, and the alarm stays off")
            return None
    say(f"fewer than {ANSWERS} answers in {PATIENCE} seconds: nobody knows whether it is good")
    return None


def moments() -> Iterator[float]:
    """The seconds that have passed, twice a second, for as long as it is worth waiting."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < PATIENCE:
        yield passed
        time.sleep(0.5)


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
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("release").setLevel(logging.INFO)
    make_image()
    deploy()
