"""ECR: what is pushed is what the API describes, tags hold, and what is deleted is gone from the registry."""

import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto import mock_aws
from moto.ecr.models import ecr_backends
from moto.ecr.responses import ECRResponse

from ragonotebooks.images import Image, Registry, RegistryError, layer_of_files, unpack
from ragonotebooks.images.digest import digest_of
from ragonotebooks.sandbox.aws import ecr, ecr_registry
from ragonotebooks.sandbox.aws.ecr_registry import EcrRegistry, Login
from ragonotebooks.sandbox.ledger import Call, current_call
from tests.sandbox.serving import serving

ACCOUNT = "123456789012"
REPOSITORY = "papers/index-job"


@dataclass
class Ecr:
    """ECR's API and its registry.

    Attributes:
        api: The boto3 client.
        host: Where the registry answers.
        registry: The registry's application.
        refused: The actions that nobody may do.
        blobs: Where the registry keeps blobs.
    """

    api: Any
    host: str
    registry: EcrRegistry
    refused: set[str]
    blobs: Path

    def log_in(self) -> Registry:
        token = self.api.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        username, _, password = b64decode(token).decode().partition(":")
        return Registry(self.host, username, password)

    def details(self) -> list[dict[str, Any]]:
        details: list[dict[str, Any]] = self.api.describe_images(repositoryName=REPOSITORY)["imageDetails"]
        return details


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ecr]:
    monkeypatch.setattr(ecr_backends, "backend", ecr_backends.backend)
    monkeypatch.setattr(ECRResponse, "get_authorization_token", ECRResponse.get_authorization_token)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    refused: set[str] = set()

    def allows(login: Login, action: str, resource: str) -> bool:
        return action not in refused

    registry = ecr.install(tmp_path / "blobs", threading.RLock(), allows)
    with mock_aws(), serving(registry, f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com") as host:
        api = boto3.client("ecr", region_name="us-east-1")
        api.create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
        yield Ecr(api, host, registry, refused, tmp_path / "blobs")


def _image(content: str = "1") -> Image:
    layers = (layer_of_files({"base": b"base"}), layer_of_files({"main.py": content.encode()}))
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
    return Image({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}, layers)


class TestLogin:
    def test_token_opens_the_registry(self, aws: Ecr) -> None:
        aws.log_in().check_login()

    def test_each_token_is_another_one_and_lasts_twelve_hours(self, aws: Ecr) -> None:
        one, other = (aws.api.get_authorization_token()["authorizationData"][0] for _ in range(2))
        assert one["authorizationToken"] != other["authorizationToken"]
        assert one["proxyEndpoint"] == f"https://{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
        assert timedelta(hours=11) < one["expiresAt"] - datetime.now(UTC) <= timedelta(hours=12)

    def test_nobody_gets_in_without(self, aws: Ecr) -> None:
        with pytest.raises(RegistryError, match="401 UNAUTHORIZED"):
            Registry(aws.host).check_login()
        challenge = requests.get(f"http://{aws.host}/v2/", timeout=60).headers["WWW-Authenticate"]
        assert challenge.startswith(f'Basic realm="https://{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/"')

    def test_guessed_token_is_refused(self, aws: Ecr) -> None:
        with pytest.raises(RegistryError, match="403 DENIED: Your authorization token is not known or has expired"):
            Registry(aws.host, "AWS", f"{ACCOUNT}-auth-token").check_login()

    def test_expired_token_is_refused(self, aws: Ecr, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ecr_registry, "TOKEN_LIFE", timedelta(seconds=-1))
        with pytest.raises(RegistryError, match="has expired"):
            aws.log_in().check_login()

    def test_token_of_another_account_is_refused(self, aws: Ecr) -> None:
        token, _ = aws.registry.logins.give("210987654321", "AKIAEXAMPLE")
        with pytest.raises(RegistryError, match="opens the registry 210987654321"):
            Registry(aws.host, "AWS", token).check_login()


class TestPolicies:
    def test_reader_may_pull_but_not_push(self, aws: Ecr) -> None:
        aws.log_in().push(_image(), REPOSITORY, "1.0")
        aws.refused |= {"ecr:InitiateLayerUpload", "ecr:PutImage"}
        assert aws.log_in().pull(REPOSITORY, "1.0").digest == _image().digest
        with pytest.raises(
            RegistryError, match=r"403 DENIED: .* perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:"
        ):
            aws.log_in().push(_image("2"), REPOSITORY, "2.0")

    def test_login_alone_gives_no_image(self, aws: Ecr) -> None:
        aws.log_in().push(_image(), REPOSITORY, "1.0")
        aws.refused.add("ecr:BatchGetImage")
        with pytest.raises(RegistryError, match="not authorized to perform: ecr:BatchGetImage"):
            aws.log_in().pull(REPOSITORY, "1.0")

    def test_ledger_is_told_who_does_what(self, aws: Ecr) -> None:
        seen: list[Call] = []

        def recorded(environ: dict[str, Any], start_response: Any) -> Any:
            token = current_call.set(call := Call())
            seen.append(call)
            try:
                return aws.registry(environ, start_response)
            finally:
                current_call.reset(token)

        with serving(recorded, f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com") as host:
            replace(aws, host=host).log_in().push(_image(), REPOSITORY, "1.0")
        last = seen[-1]
        assert (last.service, last.action, last.region, last.mutating) == ("ecr", "PutImage", "us-east-1", True)
        assert last.resource == f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{REPOSITORY}"
        assert not next(call for call in seen if call.action == "BatchCheckLayerAvailability").mutating


class TestPushed:
    def test_image_is_described_with_its_true_digest_size_and_time(self, aws: Ecr) -> None:
        image = _image()
        before = datetime.now(UTC).replace(microsecond=0)
        digest = aws.log_in().push(image, REPOSITORY, "1.0")
        [detail] = aws.details()
        assert (detail["imageDigest"], detail["imageTags"]) == (digest, ["1.0"])
        assert detail["imageSizeInBytes"] == sum(layer.size for layer in image.layers)
        assert before <= detail["imagePushedAt"] <= datetime.now(UTC)
        assert detail["imageManifestMediaType"] == image.manifest.media_type
        listed = aws.api.list_images(repositoryName=REPOSITORY)["imageIds"]
        assert listed == [{"imageDigest": digest, "imageTag": "1.0"}]

    def test_manifest_comes_back_byte_for_byte(self, aws: Ecr) -> None:
        digest = aws.log_in().push(_image(), REPOSITORY, "1.0")
        wanted = [{"imageTag": "1.0"}, {"imageDigest": digest}, {"imageTag": "9.9"}]
        answer = aws.api.batch_get_image(repositoryName=REPOSITORY, imageIds=wanted)
        assert [digest_of(image["imageManifest"].encode()) for image in answer["images"]] == [digest, digest]
        assert [image["imageId"] for image in answer["images"]] == [
            {"imageDigest": digest, "imageTag": "1.0"},
            {"imageDigest": digest},
        ]
        assert answer["failures"][0]["imageId"] == {"imageTag": "9.9"}

    def test_task_gets_the_image_without_a_login(self, aws: Ecr, tmp_path: Path) -> None:
        digest = aws.log_in().push(_image("the program"), REPOSITORY, "1.0")
        unpack(aws.registry.image(ACCOUNT, "us-east-1", REPOSITORY, digest), tmp_path / "root")
        assert (tmp_path / "root/app/main.py").read_text() == "the program"

    def test_repository_has_to_be_there(self, aws: Ecr) -> None:
        with pytest.raises(RegistryError, match="404 NAME_UNKNOWN: The repository with name 'other' does not exist"):
            aws.log_in().push(_image(), "other", "1.0")

    def test_repositories_of_other_regions_are_others(self, aws: Ecr) -> None:
        aws.log_in().push(_image(), REPOSITORY, "1.0")
        elsewhere = serving(aws.registry, f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com")
        with elsewhere as host, pytest.raises(RegistryError, match="NAME_UNKNOWN"):
            replace(aws, host=host).log_in().pull(REPOSITORY, "1.0")

    def test_layer_missing_from_the_registry_is_missed(self, aws: Ecr) -> None:
        image = _image()
        wanted = {"repositoryName": REPOSITORY, "imageManifest": image.manifest.content.decode(), "imageTag": "1.0"}
        with pytest.raises(aws.api.exceptions.LayersNotFoundException, match=image.layers[0].digest):
            aws.api.put_image(**wanted)

    def test_layer_comes_in_through_the_api_too(self, aws: Ecr) -> None:
        content = b"a layer"
        upload = aws.api.initiate_layer_upload(repositoryName=REPOSITORY)["uploadId"]
        about = {"repositoryName": REPOSITORY, "uploadId": upload}
        aws.api.upload_layer_part(**about, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content)
        aws.api.complete_layer_upload(**about, layerDigests=[digest_of(content)])
        with aws.log_in().open_blob(REPOSITORY, digest_of(content), len(content)) as blob:
            assert blob.read() == content
        found = aws.api.batch_check_layer_availability(repositoryName=REPOSITORY, layerDigests=[digest_of(content)])
        assert found["layers"][0]["layerSize"] == len(content)


class TestTags:
    def test_immutable_tag_is_not_overwritten(self, aws: Ecr) -> None:
        first = aws.log_in().push(_image("1"), REPOSITORY, "1.0")
        with pytest.raises(RegistryError) as refusal:
            aws.log_in().push(_image("2"), REPOSITORY, "1.0")
        assert (refusal.value.status, refusal.value.code) == (400, "TAG_INVALID")
        assert f"The image tag '1.0' already exists in the '{REPOSITORY}' repository" in str(refusal.value)
        assert [detail["imageDigest"] for detail in aws.details()] == [first]

    def test_immutable_tag_is_not_overwritten_through_the_api(self, aws: Ecr) -> None:
        aws.log_in().push(_image("1"), REPOSITORY, "1.0")
        aws.log_in().push(other := _image("2"), REPOSITORY, "2.0")
        manifest = other.manifest.content.decode()
        with pytest.raises(aws.api.exceptions.ImageTagAlreadyExistsException):
            aws.api.put_image(repositoryName=REPOSITORY, imageManifest=manifest, imageTag="1.0")

    def test_one_image_may_have_many_tags(self, aws: Ecr) -> None:
        for tag in ("1.0", "stable"):
            aws.log_in().push(_image(), REPOSITORY, tag)
        [detail] = aws.details()
        assert sorted(detail["imageTags"]) == ["1.0", "stable"] == aws.log_in().tags(REPOSITORY)

    def test_mutable_tag_moves_and_leaves_the_old_image_untagged(self, aws: Ecr) -> None:
        aws.api.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE")
        old, new = (aws.log_in().push(_image(content), REPOSITORY, "latest") for content in ("1", "2"))
        assert {detail["imageDigest"]: detail.get("imageTags") for detail in aws.details()} == {
            old: None,
            new: ["latest"],
        }
        assert aws.log_in().pull(REPOSITORY, "latest").digest == new

    def test_pushing_the_same_again_under_a_mutable_tag_is_no_error(self, aws: Ecr) -> None:
        aws.api.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE")
        assert len({aws.log_in().push(_image(), REPOSITORY, "latest") for _ in range(2)}) == 1

    def test_excluded_tags_follow_the_opposite_rule(self, aws: Ecr) -> None:
        aws.api.put_image_tag_mutability(
            repositoryName=REPOSITORY,
            imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
            imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}],
        )
        for content in ("1", "2"):
            aws.log_in().push(_image(content), REPOSITORY, "dev-x")
        aws.log_in().push(_image("1"), REPOSITORY, "my-dev-x")
        with pytest.raises(RegistryError, match="TAG_INVALID"):
            aws.log_in().push(_image("2"), REPOSITORY, "my-dev-x")


class TestDeleted:
    def test_deleted_image_and_its_own_layers_are_gone(self, aws: Ecr) -> None:
        kept, gone = _image("1"), _image("2")
        aws.log_in().push(kept, REPOSITORY, "1.0")
        aws.log_in().push(gone, REPOSITORY, "2.0")
        aws.api.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "2.0"}])
        with pytest.raises(RegistryError, match="MANIFEST_UNKNOWN"):
            aws.log_in().pull(REPOSITORY, gone.digest)
        with pytest.raises(RegistryError, match="404"):
            aws.log_in().open_blob(REPOSITORY, gone.layers[1].digest, gone.layers[1].size)
        with aws.log_in().open_blob(REPOSITORY, kept.layers[0].digest, kept.layers[0].size) as shared:
            assert len(shared.read()) == kept.layers[0].size

    def test_untagged_image_is_deleted_by_digest_and_named(self, aws: Ecr) -> None:
        aws.api.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE")
        old, _ = (aws.log_in().push(_image(content), REPOSITORY, "latest") for content in ("1", "2"))
        answer = aws.api.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": old}])
        assert (answer["imageIds"], answer["failures"]) == ([{"imageDigest": old}], [])

    def test_repository_with_images_is_deleted_only_by_force(self, aws: Ecr) -> None:
        aws.log_in().push(_image(), REPOSITORY, "1.0")
        with pytest.raises(aws.api.exceptions.RepositoryNotEmptyException):
            aws.api.delete_repository(repositoryName=REPOSITORY)
        aws.api.delete_repository(repositoryName=REPOSITORY, force=True)
        with pytest.raises(RegistryError, match="NAME_UNKNOWN"):
            aws.log_in().pull(REPOSITORY, "1.0")
        assert not [path for path in aws.blobs.rglob("*") if path.is_file()]

    def test_repository_made_again_is_empty(self, aws: Ecr) -> None:
        image = _image()
        aws.log_in().push(image, REPOSITORY, "1.0")
        aws.api.delete_repository(repositoryName=REPOSITORY, force=True)
        aws.api.create_repository(repositoryName=REPOSITORY)
        with pytest.raises(RegistryError, match="404"):
            aws.log_in().open_blob(REPOSITORY, image.layers[0].digest, image.layers[0].size)


def test_tagging_api_finds_repositories(aws: Ecr) -> None:
    arn = aws.api.describe_repositories()["repositories"][0]["repositoryArn"]
    tags = [{"Key": "deployment", "Value": "ragonometrics"}]
    aws.api.tag_resource(resourceArn=arn, tags=tags)
    tagging = boto3.client("resourcegroupstaggingapi", region_name="us-east-1")
    wanted = {"ResourceTypeFilters": ["ecr:repository"], "TagFilters": [{"Key": "deployment"}]}
    [found] = tagging.get_resources(**wanted)["ResourceTagMappingList"]
    assert (found["ResourceARN"], found["Tags"]) == (arn, tags)
    tagging.tag_resources(ResourceARNList=[arn], Tags={"owner": "me"})
    tagging.untag_resources(ResourceARNList=[arn], TagKeys=["deployment"])
    assert aws.api.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "owner", "Value": "me"}]
