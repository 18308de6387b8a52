"""Cloud Build: builds run what their steps say, with the rights of their account, and tell the truth about it."""

from typing import Any

import google.auth
import pytest
from google.api_core.exceptions import GoogleAPICallError, InvalidArgument, MethodNotImplemented, PermissionDenied
from google.auth import impersonated_credentials
from google.cloud import iam_admin_v1, secretmanager
from google.cloud.devtools import cloudbuild_v1
from google.iam.v1 import policy_pb2

from tests.sandbox.archives import tarred, zipped
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.building import BUCKET, SH, Builder, Status, grant, name_of, rest
from tests.sandbox.gcp.conftest import PROJECT
from tests.sandbox.gcp.images import LOCATION
from tests.sandbox.gcp.running import account


@pytest.fixture(scope="module")
def made() -> list[Builder]:
    """Where a module keeps its builder, which is made in the environment of the sandbox."""
    return []


@pytest.fixture
def builder(gcp: Sandbox, made: list[Builder]) -> Builder:
    if not made:
        made.append(Builder())
    return made[0]


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
