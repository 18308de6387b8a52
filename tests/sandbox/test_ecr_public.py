"""public.ecr.aws: anybody gets a token, and with it the base image; nobody changes anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ragonotebooks.images import Image, Registry, RegistryError, append, layer_of_files, unpack
from ragonotebooks.sandbox.aws.control_plane import PUBLIC
from ragonotebooks.sandbox.parts.public_registry import TAG, PublicRegistry
from tests.sandbox.serving import serving

HOST, REPOSITORY = PUBLIC.host, PUBLIC.repository


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    with serving(PublicRegistry(tmp_path / "blobs", PUBLIC)) as host:
        yield host


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_base_image_resolves_for_both_architectures(host: str, architecture: str) -> None:
    image = Registry(host).pull(REPOSITORY, TAG, architecture)
    assert (image.config["os"], image.config["architecture"]) == ("linux", architecture)
    assert any(variable.startswith("PYTHON_VERSION=3.") for variable in image.config["config"]["Env"])


def test_base_image_says_that_it_stands_in(host: str, tmp_path: Path) -> None:
    unpack(Registry(host).pull(REPOSITORY, TAG), tmp_path / "root")
    assert f"stands in for {HOST}/{REPOSITORY}:{TAG}" in (tmp_path / "root/README").read_text()
    assert "ID=ragonotebooks" in (tmp_path / "root/etc/os-release").read_text()


def test_base_image_is_the_same_in_every_sandbox(host: str, tmp_path: Path) -> None:
    with serving(PublicRegistry(tmp_path / "other", PUBLIC)) as other:
        assert Registry(other).manifest(REPOSITORY, TAG) == Registry(host).manifest(REPOSITORY, TAG)


def test_images_are_built_upon_it(host: str) -> None:
    base: Image = Registry(host).pull(REPOSITORY, TAG)
    assert len(append(base, [layer_of_files({"main.py": b""})]).layers) == 2


def test_challenge_names_the_realm_over_tls(tmp_path: Path) -> None:
    with serving(PublicRegistry(tmp_path, PUBLIC), HOST) as host:
        challenge = requests.get(f"http://{host}/v2/", timeout=60).headers["WWW-Authenticate"]
    assert challenge == 'Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"'


def test_wrong_token_is_challenged(host: str) -> None:
    answer = requests.get(f"http://{host}/v2/", headers={"Authorization": "Bearer guessed"}, timeout=60)
    assert answer.status_code == 401


def test_nothing_can_be_pushed(host: str) -> None:
    registry = Registry(host)
    with pytest.raises(RegistryError, match=r"403 DENIED: .* is read only"):
        registry.push(append(registry.pull(REPOSITORY, TAG), [layer_of_files({"a": b""})]), REPOSITORY, "mine")


@pytest.mark.parametrize(("repository", "reference"), [("docker/library/redis", "7"), (REPOSITORY, "2.7")])
def test_other_images_are_refused_with_the_one_that_is_there(host: str, repository: str, reference: str) -> None:
    with pytest.raises(RegistryError, match=f"is not there: .* has {REPOSITORY}:{TAG} only"):
        Registry(host).pull(repository, reference)
