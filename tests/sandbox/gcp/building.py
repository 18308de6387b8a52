"""What tests of Cloud Build share: an image that runs Python, an account whose builds may use it, sources, and their log."""

from typing import Any

import google.auth
from google.auth.transport.requests import AuthorizedSession
from google.cloud import logging as cloud_logging
from google.cloud import resourcemanager_v3, storage
from google.cloud.devtools import cloudbuild_v1

from tests.sandbox.gcp.conftest import PROJECT, enable
from tests.sandbox.gcp.images import LOCATION, make_repository, push
from tests.sandbox.gcp.running import account

BUCKET, TOPIC = "build-sources", f"{PROJECT}/topics/sources"
EVERYTHING = (
    "roles/artifactregistry.reader",
    "roles/logging.logWriter",
    "roles/secretmanager.secretAccessor",
    "roles/storage.objectViewer",
)
SH = "#!/bin/sh\nset -e\n"
Status = cloudbuild_v1.Build.Status


def grant(email: str, *roles: str) -> None:
    """Give an account roles on the project."""
    projects = resourcemanager_v3.ProjectsClient()
    policy = projects.get_iam_policy(request={"resource": PROJECT})
    for role in roles:
        policy.bindings.add(role=role, members=[f"serviceAccount:{email}"])
    projects.set_iam_policy(request={"resource": PROJECT, "policy": policy})


def name_of(email: str) -> str:
    return f"{PROJECT}/serviceAccounts/{email}"


class Builder:
    """An image that runs Python, a bucket, and an account whose builds may use both."""

    def __init__(self) -> None:
        enable("cloudbuild", "pubsub", "artifactregistry", "logging", "run", "iam", "secretmanager")
        make_repository("building")
        self.image = push("building", "python", {"said.py": b"print('the program of the image')\n"})
        self.email = account("builder")
        grant(self.email, *EVERYTHING)
        gcs = storage.Client()
        self.bucket = gcs.lookup_bucket(BUCKET) or gcs.create_bucket(BUCKET)
        self.bucket.versioning_enabled = True
        self.bucket.patch()
        self.client, self.logs = cloudbuild_v1.CloudBuildClient(), cloud_logging.Client()

    def step(self, *args: str, **more: Any) -> dict[str, Any]:
        """A step that runs a script, when one is given, or the image's Python with arguments."""
        return {"name": self.image, **({"args": args} if args else {}), **more}

    def wanted(self, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
        logging = {"options": {"logging": "CLOUD_LOGGING_ONLY"}}
        return {"steps": steps, "service_account": name_of(self.email), **logging, **more}

    def start(self, *steps: dict[str, Any], **more: Any) -> Any:
        return self.client.create_build(request={"parent": LOCATION, "build": self.wanted(*steps, **more)})

    def run(self, *steps: dict[str, Any], **more: Any) -> cloudbuild_v1.Build:
        """Run a build to its end, however it ends."""
        operation = self.start(*steps, **more)
        operation.exception(timeout=60)
        return self.client.get_build(request={"name": operation.metadata.build.name})

    def lines(self, build: cloudbuild_v1.Build) -> list[str]:
        """What the steps of a build wrote, without what the log puts before each line."""
        found = self.logs.list_entries(filter_=f'resource.type="build" resource.labels.build_id="{build.id}"')
        return [entry.payload.partition(": ")[2] for entry in found if "build_step" in (entry.labels or {})]

    def upload(self, name: str, content: bytes) -> int:
        blob = self.bucket.blob(name)
        blob.upload_from_string(content)
        return int(blob.generation)


def rest(verb: str, url: str, body: Any = None) -> Any:
    """The answer to a request of the operator's."""
    answer = AuthorizedSession(google.auth.default()[0]).request(verb, url, json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def publish(topic: str, message: dict[str, Any]) -> None:
    rest("POST", f"https://pubsub.googleapis.com/v1/{topic}:publish", {"messages": [message]})
