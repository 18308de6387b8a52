"""Release a commit of one service, and take it back when it is bad. Runs in a build, in the folder of the source.

    python release.py image     # the image of this commit, pushed unless it is there
    python release.py deploy    # a new revision, rolled out and watched; the one before again when it is bad

DEPLOYMENT names the deployment, PART the service, WATCH_SECONDS how long its alarm is watched.
"""

import base64
import hashlib
import io
import logging
import os
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import requests

from ragonotebooks.images import Image, Registry, append, layer_of_files

DEPLOYMENT, PART = os.environ["DEPLOYMENT"], os.environ["PART"]
WATCH_SECONDS = float(os.environ["WATCH_SECONDS"])
REPOSITORY = f"{DEPLOYMENT}/releases"
CERTIFICATES = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
COPIED = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "requiresCompatibilities", "cpu", "memory")

ecr, ecs = boto3.client("ecr"), boto3.client("ecs")
elbv2, cloudwatch = boto3.client("elbv2"), boto3.client("cloudwatch")
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
    """Roll this commit out; when it is bad, go back and fail."""
    if alarm() == "ALARM":
        raise SystemExit(f"the alarm {DEPLOYMENT}-release is on already: find out why before something is released")
    before = service()["taskDefinition"]
    after = register(before)
    say(f"from {before} to {after}")
    if problem := roll_out(after) or watch():
        say(f"bad: {problem}")
        roll_out(before)
        ecs.deregister_task_definition(taskDefinition=after)
        raise SystemExit(f"rolled back to {before}: {problem}")
    say(f"released {after}")


def register(before: str) -> str:
    """A new revision that differs from the one before in its image."""
    there = definition(before)
    about = there["taskDefinition"]
    image = f"{registry().host}/{REPOSITORY}@{stored()}"
    containers = [{**about["containerDefinitions"][0], "image": image}]
    same = {key: about[key] for key in COPIED if key in about}
    made = ecs.register_task_definition(**same, containerDefinitions=containers, tags=there["tags"])
    return str(made["taskDefinition"]["taskDefinitionArn"])


def roll_out(revision: str) -> str | None:
    """Point the service at a revision and wait; return what went wrong."""
    ecs.update_service(cluster=DEPLOYMENT, service=PART, taskDefinition=revision)
    ecs.get_waiter("services_stable").wait(cluster=DEPLOYMENT, services=[PART])
    if service()["taskDefinition"] != revision:
        return str(service()["events"][0]["message"])
    group = service()["loadBalancers"][0]["targetGroupArn"]
    elbv2.get_waiter("target_in_service").wait(TargetGroupArn=group)
    return None


def watch() -> str | None:
    """Return why the release is bad, None when its alarm stays off for as long as it is watched."""
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        if alarm() == "ALARM":
            return f"the alarm {DEPLOYMENT}-release went off"
        time.sleep(0.5)
    return None


def alarm() -> str:
    found = cloudwatch.describe_alarms(AlarmNames=[f"{DEPLOYMENT}-release"])["MetricAlarms"]
    return str(found[0]["StateValue"])


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("release").setLevel(logging.INFO)
    {"image": make_image, "deploy": deploy}[sys.argv[1]]()
