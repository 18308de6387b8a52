"""Cloud Build: builds run what their steps say, with the rights of their account, and tell the truth about it."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

import google.auth
import pytest
from google.api_core.exceptions import (
    BadRequest,
    GoogleAPICallError,
    InvalidArgument,
    MethodNotImplemented,
    PermissionDenied,
)
from google.auth import impersonated_credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import iam_admin_v1, resourcemanager_v3, secretmanager, storage
from google.cloud import logging as cloud_logging
from google.cloud.devtools import cloudbuild_v1
from google.iam.v1 import policy_pb2

from tests.sandbox.conftest import Sandbox, eventually
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
        self.bucket = storage.Client().create_bucket(BUCKET)
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


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(text)
            archive.addfile(about, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture(scope="module")
def _builder(_shared: Sandbox) -> list[Builder]:
    return []


@pytest.fixture
def builder(gcp: Sandbox, _builder: list[Builder]) -> Builder:
    if not _builder:
        _builder.append(Builder())
    return _builder[0]


def test_steps_run_one_after_the_other_in_a_workspace_that_they_share(builder: Builder) -> None:
    build = builder.run(
        builder.step(script=f"{SH}echo one > left.txt; mkdir below; echo in $(basename $PWD)", id="first"),
        builder.step(script=f"{SH}cat ../left.txt; basename $PWD", dir_="below"),
        builder.step("-c", "import sys; print(open(sys.argv[1]).read().strip())", "/workspace/left.txt"),
        builder.step("-m", "said"),
    )
    assert build.status == Status.SUCCESS, build.status_detail
    assert builder.lines(build) == ["in workspace", "one", "below", "one", "the program of the image"]
    assert [step.status for step in build.steps] == [Status.SUCCESS] * 4
    assert build.start_time <= build.steps[0].timing.end_time <= build.steps[1].timing.start_time <= build.finish_time


def test_step_that_fails_ends_the_build_and_says_which_it_was(builder: Builder) -> None:
    build = builder.run(builder.step(script=f"{SH}echo one; exit 3"), builder.step(script=f"{SH}echo two"))
    assert (build.status, builder.lines(build)) == (Status.FAILURE, ["one"])
    assert [(step.status, step.exit_code) for step in build.steps] == [(Status.FAILURE, 3), (Status.QUEUED, 0)]
    assert build.failure_info.type_ == cloudbuild_v1.Build.FailureInfo.FailureType.USER_BUILD_STEP
    assert build.failure_info.detail.endswith("step exited with non-zero status: 3")


def test_operation_of_a_failed_build_fails_and_knows_the_build(builder: Builder) -> None:
    operation = builder.start(builder.step(script=f"{SH}false"))
    with pytest.raises(GoogleAPICallError, match="failure; check build logs"):
        operation.result(timeout=60)
    assert operation.metadata.build.status == Status.FAILURE


def test_failure_that_is_allowed_lets_the_build_go_on(builder: Builder) -> None:
    build = builder.run(
        builder.step(script=f"{SH}exit 2", allow_failure=True),
        builder.step(script=f"{SH}exit 4", allow_exit_codes=[4]),
        builder.step(script=f"{SH}echo behind"),
    )
    assert (build.status, builder.lines(build)) == (Status.SUCCESS, ["behind"])
    assert [step.status for step in build.steps] == [Status.FAILURE, Status.SUCCESS, Status.SUCCESS]


def test_source_is_the_generation_that_was_asked_for(builder: Builder) -> None:
    first = builder.upload("paper.zip", zipped({"paper.txt": "the first"}))
    second = builder.upload("paper.zip", zipped({"paper.txt": "the second"}))
    show = builder.step(script=f"{SH}cat paper.txt; echo")
    for generation, found in ((first, "the first"), (0, "the second")):
        source = {"storage_source": {"bucket": BUCKET, "object_": "paper.zip", "generation": generation}}
        build = builder.run(show, source=source)
        assert builder.lines(build) == [found]
        assert build.source_provenance.resolved_storage_source.generation == (generation or second)


def test_source_may_be_a_tar_archive_and_one_that_is_none_fails_the_build(builder: Builder) -> None:
    builder.upload("paper.tar.gz", tarred({"paper.txt": "a paper"}))
    builder.upload("broken.zip", b"no archive")
    show = builder.step(script=f"{SH}cat paper.txt; echo")
    source = {"storage_source": {"bucket": BUCKET, "object_": "paper.tar.gz"}}
    assert builder.lines(builder.run(show, source=source)) == ["a paper"]
    for name in ("broken.zip", "missing.zip"):
        build = builder.run(show, source={"storage_source": {"bucket": BUCKET, "object_": name}})
        assert build.failure_info.type_ == cloudbuild_v1.Build.FailureInfo.FailureType.FETCH_SOURCE_FAILED


def test_substitutions_are_replaced_in_steps_and_not_in_scripts(builder: Builder) -> None:
    build = builder.run(
        builder.step("-c", "import sys; print(*sys.argv[1:])", "$_WHAT", "${_WHAT}s", "$$_WHAT", "$PROJECT_ID"),
        builder.step(script=f"{SH}echo $_WHAT-$TOLD", env=["TOLD=$_WHAT of $LOCATION"]),
        substitutions={"_WHAT": "paper"},
    )
    assert builder.lines(build) == [
        f"paper papers $_WHAT {PROJECT.removeprefix('projects/')}",
        "-paper of us-central1",
    ]


@pytest.mark.parametrize(
    ("args", "given", "problem"),
    [
        (["$_MISSING"], {}, '"_MISSING" is not a valid built-in'),
        ([], {"_UNUSED": "x"}, '"_UNUSED" in the substitution data is not matched'),
        ([], {"lower": "x"}, "does not respect format"),
    ],
)
def test_substitution_that_matches_nothing_is_refused(
    builder: Builder, args: list[str], given: dict[str, str], problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        builder.start(builder.step("-m", "said", *args), substitutions=given)


def test_loose_substitutions_are_empty_where_they_have_no_value(builder: Builder) -> None:
    options = {"logging": "CLOUD_LOGGING_ONLY", "substitution_option": "ALLOW_LOOSE"}
    show = builder.step("-c", "import sys; print(sys.argv[1:])", "a$_MISSING")
    assert builder.lines(builder.run(show, options=options, substitutions={"_UNUSED": "x"})) == ["['a']"]


def test_secret_reaches_the_step_that_asks_for_it_and_no_other(builder: Builder) -> None:
    client = secretmanager.SecretManagerServiceClient()
    secret = client.create_secret(
        parent=PROJECT, secret_id="for-builds", secret={"replication": {"automatic": {}}}
    ).name
    client.add_secret_version(parent=secret, payload={"data": b"told"})
    build = builder.run(
        builder.step(script=f"{SH}echo ${{#KEY}} ${{KEY%d}}", secret_env=["KEY"]),
        builder.step(script=f"{SH}echo [$KEY]"),
        available_secrets={"secret_manager": [{"version_name": f"{secret}/versions/latest", "env": "KEY"}]},
    )
    assert builder.lines(build) == ["4 tol", "[]"]


def test_step_acts_as_the_account_and_sees_nothing_of_this_machine(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_DAEMONS_STARTER", "secret")
    program = (
        "import os, urllib.request\n"
        "root = f\"http://{os.environ['GCE_METADATA_HOST']}/computeMetadata/v1/instance/service-accounts/default/\"\n"
        "asked = urllib.request.Request(root + 'email', headers={'Metadata-Flavor': 'Google'})\n"
        "print(urllib.request.urlopen(asked).read().decode())\n"
        "print([name for name in os.environ if name.startswith(('AWS_', 'GOOGLE_', 'OF_'))])\n"
    )
    assert builder.lines(builder.run(builder.step("-c", program))) == [builder.email, "[]"]


def test_build_whose_account_may_not_do_what_it_needs_fails_and_says_what(builder: Builder) -> None:
    poor = account("poor-builder")
    show = builder.step("-m", "said")
    build = builder.run(show, service_account=name_of(poor))
    assert build.failure_info.type_ == cloudbuild_v1.Build.FailureInfo.FailureType.LOGGING_FAILURE
    grant(poor, "roles/logging.logWriter")
    assert "may not download artifacts" in builder.run(show, service_account=name_of(poor)).status_detail
    source = {"storage_source": {"bucket": BUCKET, "object_": "secret.zip"}}
    builder.upload("secret.zip", zipped({"paper.txt": "a paper"}))
    refused = builder.run(show, service_account=name_of(poor), source=source)
    assert "storage.objects.get" in refused.status_detail


def test_nobody_starts_a_build_with_the_rights_of_an_account_that_they_may_not_act_as(builder: Builder) -> None:
    editor = account("build-editor")
    grant(editor, "roles/cloudbuild.builds.editor")
    iam = iam_admin_v1.IAMClient()
    creator = policy_pb2.Binding(
        role="roles/iam.serviceAccountTokenCreator", members=["user:operator@ragonometrics.example"]
    )
    iam.set_iam_policy(request={"resource": name_of(editor), "policy": policy_pb2.Policy(bindings=[creator])})
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    acting = impersonated_credentials.Credentials(google.auth.default(scopes=scopes)[0], editor, scopes)
    client = cloudbuild_v1.CloudBuildClient(credentials=acting)
    with pytest.raises(PermissionDenied, match="actAs"):
        client.create_build(request={"parent": LOCATION, "build": builder.wanted(builder.step("-m", "said"))})


def test_build_that_takes_too_long_is_ended(builder: Builder) -> None:
    long = builder.step(script=f"{SH}echo up; sleep 600")
    build = builder.run(long, timeout={"seconds": 1})
    assert (build.status, build.steps[0].status) == (Status.TIMEOUT, Status.TIMEOUT)
    build = builder.run({**long, "timeout": {"seconds": 1}})
    assert build.status == Status.TIMEOUT
    assert "context deadline exceeded" in build.status_detail


def test_build_that_is_cancelled_ends_and_takes_its_processes_along(builder: Builder) -> None:
    operation = builder.start(builder.step(script=f"{SH}echo up; sleep 600"), builder.step("-m", "said"))
    name = operation.metadata.build.name
    eventually(lambda: builder.lines(builder.client.get_build(request={"name": name})) == ["up"])
    build = builder.client.cancel_build(request={"name": name})
    assert build.status == Status.CANCELLED
    assert builder.lines(build) == ["up"]


def test_build_can_be_run_again(builder: Builder) -> None:
    first = builder.run(builder.step("-c", "import sys; print(sys.argv[1])", "$_WHAT"), substitutions={"_WHAT": "x"})
    again = builder.client.retry_build(request={"name": first.name}).result(timeout=60)
    assert again.id != first.id
    assert builder.lines(again) == ["x"]


def test_builds_are_listed_newest_first_and_by_what_they_are(builder: Builder) -> None:
    tags = ["listed"]
    made = [builder.run(builder.step(script=f"{SH}{end}"), tags=tags).id for end in ("true", "false", "true")]
    listed = builder.client.list_builds(request={"parent": LOCATION, "filter": 'tags:"listed"'})
    assert [build.id for build in listed] == made[::-1]
    asked = {"parent": LOCATION, "filter": 'tags:"listed" AND status="FAILURE"'}
    assert [build.id for build in builder.client.list_builds(request=asked)] == [made[1]]
    asked = {"parent": LOCATION, "filter": 'tags:"listed"', "page_size": 2}
    assert [len(page.builds) for page in builder.client.list_builds(request=asked).pages] == [2, 1]


def test_the_old_form_of_requests_means_the_place_global(builder: Builder) -> None:
    project = PROJECT.removeprefix("projects/")
    wanted = builder.wanted(builder.step("-m", "said"))
    build = builder.client.create_build(project_id=project, build=wanted).result(timeout=60)
    assert build.name == f"{PROJECT}/locations/global/builds/{build.id}"
    assert builder.client.get_build(project_id=project, id=build.id).id == build.id


def test_rest_says_what_grpc_says(builder: Builder) -> None:
    build = builder.run(builder.step("-m", "said"))
    shown = rest("GET", f"https://cloudbuild.googleapis.com/v1/{build.name}")
    assert (shown["id"], shown["status"], shown["steps"][0]["name"]) == (build.id, "SUCCESS", builder.image)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"images": ["x"]}, "images of a Build"),
        ({"artifacts": {"images": ["x"]}}, "artifacts of a Build"),
        ({"source": {"repo_source": {"repo_name": "x"}}}, "repo_source of a Source"),
        ({"steps": [{"name": "gcr.io/cloud-builders/docker", "args": ["build"]}]}, "gcr.io/cloud-builders/docker"),
        ({"steps": [{"wait_for": ["-"]}]}, "wait_for of a BuildStep"),
        ({"steps": [{"script": "echo no first line"}]}, "a script without a first line"),
        ({"steps": [{"args": ["${_A:-b}"]}]}, "the expansion"),
    ],
)
def test_what_would_not_be_done_is_refused_by_name(builder: Builder, more: dict[str, Any], named: str) -> None:
    steps = [{"name": builder.image, **step} for step in more.pop("steps", [{"args": ["-m", "said"]}])]
    with pytest.raises(MethodNotImplemented, match=named):
        builder.start(*steps, **more)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"service_account": ""}, "no service_account"),
        ({"options": {}}, "CLOUD_LOGGING_ONLY or NONE"),
        ({"source": {"storage_source": {"bucket": BUCKET, "object_": "paper.rar"}}}, "a source is a"),
        ({"timeout": {"seconds": 100_000}}, "timeout"),
    ],
)
def test_build_that_is_wrong_is_refused(builder: Builder, more: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        builder.start(builder.step("-m", "said"), **more)


def test_build_without_a_log_keeps_none(builder: Builder) -> None:
    build = builder.run(builder.step("-m", "said"), options={"logging": "NONE"})
    assert (build.status, builder.lines(build)) == (Status.SUCCESS, [])


@pytest.fixture
def topic(builder: Builder) -> Iterator[str]:
    """A topic that a test has to itself."""
    rest("PUT", f"https://pubsub.googleapis.com/v1/{TOPIC}", {})
    yield TOPIC
    rest("DELETE", f"https://pubsub.googleapis.com/v1/{TOPIC}")


def trigger_of(builder: Builder, name: str, *steps: dict[str, Any], **more: Any) -> cloudbuild_v1.BuildTrigger:
    template = {"steps": steps, "options": {"logging": "CLOUD_LOGGING_ONLY"}}
    trigger = {"name": name, "build": template, "service_account": name_of(builder.email), **more}
    return builder.client.create_build_trigger(request={"parent": LOCATION, "trigger": trigger})


def builds_of(builder: Builder, trigger: cloudbuild_v1.BuildTrigger) -> list[cloudbuild_v1.Build]:
    asked = f'build_trigger_id="{trigger.id}"'
    return list(builder.client.list_builds(request={"parent": LOCATION, "filter": asked}))


def ended(builder: Builder, trigger: cloudbuild_v1.BuildTrigger) -> cloudbuild_v1.Build:
    """The trigger's newest build, when it is over."""
    eventually(lambda: any(build.finish_time for build in builds_of(builder, trigger)[:1]))
    return builds_of(builder, trigger)[0]


def test_message_starts_a_build_that_knows_what_is_in_it(builder: Builder, topic: str) -> None:
    show = builder.step("-c", "import sys; print(sys.argv[1:])", "$_WHICH", "$_YEAR", "$_NONE", "$TRIGGER_NAME")
    bindings = {
        "_WHICH": "$(body.message.attributes.paper)",
        "_YEAR": "$(body.message.data.year)",
        "_NONE": "$(body.message.attributes.none)",
    }
    made = trigger_of(builder, "papers", show, pubsub_config={"topic": topic}, substitutions=bindings)
    message = {"data": "eyJ5ZWFyIjogMTk4M30=", "attributes": {"paper": "runs"}}
    publish(topic, message)
    assert builder.lines(ended(builder, made)) == ["['runs', '1983', '', 'papers']"]
    builder.client.delete_build_trigger(request={"name": made.resource_name})
    publish(topic, message)
    assert len(builds_of(builder, made)) == 1


def test_trigger_is_found_by_its_name_changed_and_run_by_hand(builder: Builder) -> None:
    show = builder.step("-c", "import sys; print(sys.argv[1])", "$_WHAT")
    made = trigger_of(builder, "by-hand", show, substitutions={"_WHAT": "its own"})
    name = f"{LOCATION}/triggers/by-hand"
    assert builder.client.get_build_trigger(request={"name": name}) == made
    build = builder.client.run_build_trigger(request={"name": name}).result(timeout=60)
    assert builder.lines(build) == ["its own"]
    source = {"substitutions": {"_WHAT": "given"}}
    build = builder.client.run_build_trigger(request={"name": name, "source": source}).result(timeout=60)
    assert builder.lines(build) == ["given"]

    made.description = "shows what it is given"
    changed = builder.client.update_build_trigger(
        request={"trigger": made, "trigger_id": made.id, "project_id": PROJECT.removeprefix("projects/")}
    )
    assert changed.description == "shows what it is given"
    assert (changed.id, changed.build) == (made.id, made.build)


def test_trigger_that_is_disabled_starts_nothing(builder: Builder, topic: str) -> None:
    made = trigger_of(builder, "off", builder.step("-m", "said"), pubsub_config={"topic": topic}, disabled=True)
    publish(topic, {"data": "eA=="})
    assert builds_of(builder, made) == []


def test_trigger_tells_that_its_topic_has_gone(builder: Builder) -> None:
    gone = f"{TOPIC}-gone"
    rest("PUT", f"https://pubsub.googleapis.com/v1/{gone}", {})
    made = trigger_of(builder, "alone", builder.step("-m", "said"), pubsub_config={"topic": gone})
    assert made.pubsub_config.state == cloudbuild_v1.PubsubConfig.State.OK
    rest("DELETE", f"https://pubsub.googleapis.com/v1/{gone}")
    found = builder.client.get_build_trigger(request={"name": made.resource_name})
    assert found.pubsub_config.state == cloudbuild_v1.PubsubConfig.State.TOPIC_DELETED


@pytest.mark.parametrize("kind", ["github", "webhook_config", "repository_event_config", "filter"])
def test_trigger_on_what_the_sandbox_has_not_is_refused_by_name(builder: Builder, kind: str) -> None:
    given: Any = {"github": {"owner": "x"}, "webhook_config": {"secret": "x"}, "filter": "_A == 'b'"}
    given["repository_event_config"] = {"repository": "x"}
    with pytest.raises(MethodNotImplemented, match=f"{kind} of a BuildTrigger"):
        trigger_of(builder, "refused", builder.step("-m", "said"), **{kind: given[kind]})


def test_upload_starts_a_build_once_the_bucket_may_tell_of_it(builder: Builder, topic: str) -> None:
    notice = builder.bucket.notification(
        topic_name="sources",
        event_types=["OBJECT_FINALIZE"],
        payload_format="JSON_API_V1",
        blob_name_prefix="source/",
    )
    with pytest.raises(BadRequest, match="does not have permission to publish"):
        notice.create()
    teller = storage.Client().get_service_account_email()
    binding = {"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{teller}"]}
    rest("POST", f"https://pubsub.googleapis.com/v1/{topic}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert rest("GET", f"https://pubsub.googleapis.com/v1/{topic}:getIamPolicy")["bindings"] == [binding]
    notice.create()
    bindings = {"_OBJECT": "$(body.message.attributes.objectId)", "_SIZE": "$(body.message.data.size)"}
    show = builder.step("-c", "import sys; print(sys.argv[1:])", "$_OBJECT", "$_SIZE")
    made = trigger_of(builder, "uploads", show, pubsub_config={"topic": topic}, substitutions=bindings)
    builder.upload("elsewhere/paper.txt", b"a paper")
    builder.upload("source/paper.txt", b"a paper")
    assert builder.lines(ended(builder, made)) == ["['source/paper.txt', '7']"]
    assert len(builds_of(builder, made)) == 1
    assert [one.blob_name_prefix for one in builder.bucket.list_notifications()] == ["source/"]
    notice.delete()
    builder.upload("source/paper.txt", b"another")
    assert len(builds_of(builder, made)) == 1


def test_notification_of_other_events_is_refused_by_name(builder: Builder, topic: str) -> None:
    for events in (["OBJECT_DELETE"], None):
        with pytest.raises(MethodNotImplemented, match="only of .OBJECT_FINALIZE"):
            builder.bucket.notification(topic_name="sources", event_types=events).create()


def test_topics_are_made_listed_and_refused_what_the_sandbox_has_not(builder: Builder, topic: str) -> None:
    listed = rest("GET", f"https://pubsub.googleapis.com/v1/{PROJECT}/topics")
    assert topic in [one["name"] for one in listed["topics"]]
    session = AuthorizedSession(google.auth.default()[0])
    for verb, path, body, status in (
        ("PUT", topic, {}, 409),
        ("PUT", f"{topic}-x", {"schemaSettings": {}}, 501),
        ("PUT", f"{PROJECT}/topics/1", {}, 400),
        ("POST", f"{topic}:publish", {"messages": [{}]}, 400),
        ("POST", f"{topic}-x:publish", {"messages": [{"data": "eA=="}]}, 404),
    ):
        answer = session.request(verb, f"https://pubsub.googleapis.com/v1/{path}", json=body, timeout=30)
        assert answer.status_code == status, answer.text
