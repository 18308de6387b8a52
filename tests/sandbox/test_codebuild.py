"""CodeBuild: builds run what their buildspec says, with the rights of their role, and tell the truth about it."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws.buildspec import BuildspecError, parse
from tests.sandbox.archives import zipped
from tests.sandbox.conftest import Sandbox, eventually

BUCKET, KEY = "codebuild-source", "source/app.zip"
EVERYTHING = ["logs:*", "s3:*", "ssm:GetParameter", "secretsmanager:GetSecretValue", "sts:GetCallerIdentity"]
PLACE = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}


def spec(**phases: Any) -> str:
    """A buildspec of phases, each a list of commands."""
    made = {name: {"commands": commands} for name, commands in phases.items() if name not in ("env", "artifacts")}
    return json.dumps({"version": 0.2, "phases": made, **{n: phases[n] for n in ("env", "artifacts") if n in phases}})


@dataclass
class Builder:
    """A project, and a role for its builds."""

    sandbox: Sandbox
    role: str

    def __post_init__(self) -> None:
        self.codebuild, self.s3, self.logs = (self.sandbox.client(name) for name in ("codebuild", "s3", "logs"))

    def create(self, name: str, **more: Any) -> None:
        source = {"type": "S3", "location": f"{BUCKET}/{KEY}"}
        project = {"source": source, "artifacts": {"type": "NO_ARTIFACTS"}, "environment": PLACE, **more}
        self.codebuild.create_project(name=name, **{"serviceRole": self.role, **project})

    def commit(self, files: dict[str, str], key: str = KEY) -> str:
        """Upload a source and return its version."""
        return str(self.s3.put_object(Bucket=BUCKET, Key=key, Body=zipped(files))["VersionId"])

    def start(self, name: str, **more: Any) -> str:
        return str(self.codebuild.start_build(projectName=name, **more)["build"]["id"])

    def build(self, identity: str) -> dict[str, Any]:
        found: dict[str, Any] = self.codebuild.batch_get_builds(ids=[identity])["builds"][0]
        return found

    def finished(self, identity: str) -> dict[str, Any]:
        eventually(lambda: self.build(identity)["buildComplete"])
        return self.build(identity)

    def run(self, name: str, **more: Any) -> tuple[dict[str, Any], list[str]]:
        """Run a build to its end; return it, and the lines of its log without CodeBuild's own."""
        build = self.finished(self.start(name, **more))
        return build, [line for line in self.log(build) if not line.startswith("[Container]")]

    def log(self, build: dict[str, Any]) -> list[str]:
        place = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
        return [event["message"] for event in self.logs.get_log_events(**place, startFromHead=True)["events"]]


@pytest.fixture(scope="module")
def builder(sandbox: Sandbox) -> Builder:
    made = Builder(sandbox, role(sandbox, "builds", EVERYTHING))
    made.s3.create_bucket(Bucket=BUCKET)
    made.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    made.create("papers")
    return made


def role(sandbox: Sandbox, name: str, actions: list[str], service: str = "codebuild") -> str:
    iam = sandbox.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
    return str(made)


def phases(build: dict[str, Any]) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def test_build_runs_its_phases_in_one_shell_on_the_source_that_was_uploaded(builder: Builder) -> None:
    program = spec(
        install=["greeting=hello"],
        pre_build=["mkdir made && cd made"],
        build=["echo $greeting from $(basename $PWD)", "cat ../paper.txt", "python -c 'import boto3; print(1 + 1)'"],
    )
    version = builder.commit({"buildspec.yml": program, "paper.txt": "a paper\n"})
    build, lines = builder.run("papers")
    assert build["buildStatus"] == "SUCCEEDED"
    assert lines == ["hello from made", "a paper", "2"]
    assert build["resolvedSourceVersion"] == version
    wanted = ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD"]
    assert list(phases(build)) == [*wanted, "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED"]


def test_command_that_fails_fails_its_phase_and_the_build_and_skips_the_commands_behind_it(builder: Builder) -> None:
    builder.commit({"buildspec.yml": spec(build=["echo one", "exit_with() { return 3; }; exit_with", "echo two"])})
    build, lines = builder.run("papers")
    assert (build["buildStatus"], phases(build)["BUILD"], lines) == ("FAILED", "FAILED", ["one"])
    context = next(phase["contexts"][0] for phase in build["phases"] if phase["phaseType"] == "BUILD")
    assert context["statusCode"] == "COMMAND_EXECUTION_ERROR"
    assert context["message"].endswith("exit_with. Reason: exit status 3")


def test_post_build_follows_a_failed_build_and_knows_but_no_failed_pre_build(builder: Builder) -> None:
    after = {"post_build": ["echo succeeding: $CODEBUILD_BUILD_SUCCEEDING"]}
    builder.commit({"buildspec.yml": spec(build=["false"], **after)})
    assert builder.run("papers")[1] == ["succeeding: 0"]
    builder.commit({"buildspec.yml": spec(pre_build=["false"], **after)})
    build, lines = builder.run("papers")
    assert (lines, "POST_BUILD" in phases(build)) == ([], False)


def test_finally_runs_in_any_case(builder: Builder) -> None:
    described = {"version": 0.2, "phases": {"build": {"commands": ["false"], "finally": ["echo swept"]}}}
    builder.commit({"buildspec.yml": json.dumps(described)})
    build, lines = builder.run("papers")
    assert (build["buildStatus"], lines) == ("FAILED", ["swept"])


def test_shell_that_ends_within_a_phase_fails_the_build(builder: Builder) -> None:
    builder.commit({"buildspec.yml": spec(build=["exit 4", "echo never"])})
    build, lines = builder.run("papers")
    assert (build["buildStatus"], phases(build)["BUILD"], lines) == ("FAILED", "FAILED", [])


def test_build_sees_its_role_parameters_and_secrets_and_nothing_of_this_machine(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = builder.sandbox
    sandbox.client("ssm").put_parameter(Name="/codebuild/name", Value="papers", Type="String")
    sandbox.client("secretsmanager").create_secret(Name="codebuild/key", SecretString='{"key": "told"}')
    env = {
        "variables": {"PLAIN": "one"},
        "parameter-store": {"NAME": "/codebuild/name"},
        "secrets-manager": {"KEY": "codebuild/key:key"},
    }
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'].split('/')[1])"
    builder.commit(
        {"buildspec.yml": spec(env=env, build=["echo $PLAIN $NAME $KEY $OURS", f'python -c "{who}"', "env"])}
    )
    _, lines = builder.run("papers", environmentVariablesOverride=[{"name": "OURS", "value": "four"}])
    assert lines[:2] == ["one papers told four", "builds"]
    names = {line.partition("=")[0] for line in lines[2:]}
    assert "CODEBUILD_BUILD_ID" in names
    assert not names & {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "RAGONOTEBOOKS_SANDBOX", "USER", "PYTEST_VERSION"}


def test_build_is_refused_what_its_role_may_not_do(builder: Builder) -> None:
    builder.create("poor", serviceRole=role(builder.sandbox, "poor", ["logs:*"]))
    build = builder.finished(builder.start("poor"))
    assert (build["buildStatus"], phases(build)["DOWNLOAD_SOURCE"]) == ("FAILED", "FAILED")
    assert "s3:GetObject" in build["phases"][3]["contexts"][0]["message"]


def test_stopped_build_ends_at_once_with_all_that_it_started(builder: Builder) -> None:
    builder.commit({"buildspec.yml": spec(build=["echo begun", "sleep 300", "echo never"])})
    identity = builder.start("papers")
    eventually(lambda: "begun" in builder.log(builder.build(identity)))
    builder.codebuild.stop_build(id=identity)
    build = builder.finished(identity)
    assert (build["buildStatus"], phases(build)["BUILD"]) == ("STOPPED", "STOPPED")
    assert "never" not in builder.log(build)


def test_artifacts_are_stored(builder: Builder) -> None:
    about = {"files": ["**/*"], "base-directory": "out", "name": "site"}
    builder.commit({"buildspec.yml": spec(build=["mkdir -p out/in && echo made > out/in/a.txt"], artifacts=about)})
    build, _ = builder.run("papers", artifactsOverride={"type": "S3", "location": BUCKET, "path": "artifacts"})
    assert build["buildStatus"] == "SUCCEEDED"
    assert builder.s3.get_object(Bucket=BUCKET, Key="artifacts/site/in/a.txt")["Body"].read() == b"made\n"


def test_upload_starts_a_build_of_just_that_version(builder: Builder) -> None:
    sandbox, events = builder.sandbox, builder.sandbox.client("events")
    builder.s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert "EventBridgeConfiguration" in builder.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    builder.create("pushed")
    detail = {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "pushed/"}]}}
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}
    events.put_rule(Name="codebuild-pushed", EventPattern=json.dumps(pattern))
    paths = {"key": "$.detail.object.key", "version": "$.detail.object.version-id"}
    template = f'{{"sourceLocationOverride": "{BUCKET}/<key>", "sourceVersion": "<version>"}}'
    target = {
        "Id": "build",
        "Arn": f"arn:aws:codebuild:us-east-1:{sandbox.state.account}:project/pushed",
        "RoleArn": role(sandbox, "codebuild-events", ["codebuild:StartBuild"], "events"),
        "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template},
    }
    events.put_targets(Rule="codebuild-pushed", Targets=[target])

    version = builder.commit({"buildspec.yml": spec(build=["echo pushed"])}, key="pushed/1.zip")
    eventually(lambda: builder.codebuild.list_builds_for_project(projectName="pushed")["ids"])
    [identity] = builder.codebuild.list_builds_for_project(projectName="pushed")["ids"]
    build = builder.finished(identity)
    assert (build["buildStatus"], build["sourceVersion"]) == ("SUCCEEDED", version)
    assert build["source"]["location"] == f"{BUCKET}/pushed/1.zip"
    events.remove_targets(Rule="codebuild-pushed", Ids=["build"])
    events.delete_rule(Name="codebuild-pushed")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"source": {"type": "GITHUB", "location": "https://github.com/a/b"}}, "source type GITHUB"),
        ({"artifacts": {"type": "CODEPIPELINE"}}, "artifacts type CODEPIPELINE"),
        ({"environment": {**PLACE, "image": "docker.io/library/python"}}, "CodeBuild's own images only"),
        ({"vpcConfig": {"vpcId": "vpc-1", "subnets": ["s"], "securityGroupIds": ["g"]}}, "vpcConfig"),
        ({"timeoutInMinutes": 2161}, "Invalid timeout"),
    ],
)
def test_project_whose_builds_would_not_run_is_refused(builder: Builder, more: dict[str, Any], problem: str) -> None:
    with pytest.raises(ClientError, match=problem):
        builder.create("refused", **more)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 0.1", "must say 'version: 0.2'"),
        ("phases: [", "no YAML"),
        ('{"version": 0.2, "batch": {}}', "batch in the buildspec is not supported"),
        ('{"version": 0.2, "phases": {"deploy": {}}}', "deploy in phases is not supported"),
        ('{"version": 0.2, "phases": {"build": {"on-failure": "CONTINUE"}}}', "on-failure CONTINUE of build"),
    ],
)
def test_buildspec_that_would_not_be_followed_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BuildspecError, match=problem):
        parse(text)
