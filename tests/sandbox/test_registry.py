"""The registry's server speaks the distribution specification; the client is what most of it is asked with."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest
import requests
from werkzeug.wrappers import Request

from ragonotebooks.images import Image, Manifest, Registry, RegistryError, append, layer_of_files, unpack
from ragonotebooks.images.digest import DigestMismatch, VerifiedReader, digest_of
from ragonotebooks.images.image import OCI_INDEX, OCI_MANIFEST, to_json
from ragonotebooks.sandbox.parts.registry import Action, Blobs, Refusal, RegistryServer
from tests.sandbox.serving import serving


@dataclass
class Shelf:
    """A catalogue that lets everybody do everything in two repositories."""

    manifests: dict[tuple[str, str], Manifest] = field(default_factory=dict)

    def authorise(self, request: Request, action: Action, repository: str) -> None:
        if action != "log in" and repository not in ("papers/index-job", "mirror"):
            raise Refusal(404, "NAME_UNKNOWN", f"no repository {repository}")

    def manifest(self, repository: str, reference: str) -> Manifest:
        if (repository, reference) not in self.manifests:
            raise Refusal(404, "MANIFEST_UNKNOWN", "not there")
        return self.manifests[repository, reference]

    def put_manifest(self, repository: str, tag: str | None, manifest: Manifest) -> None:
        self.manifests[repository, manifest.digest] = self.manifests[repository, tag or manifest.digest] = manifest

    def tags(self, repository: str) -> list[str]:
        return [tag for name, tag in self.manifests if name == repository and ":" not in tag]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def host(shelf: Shelf, tmp_path: Path) -> Iterator[str]:
    with serving(RegistryServer(Blobs(tmp_path / "blobs"), shelf)) as host:
        yield host


@pytest.fixture
def image() -> Image:
    layer = layer_of_files({"etc/os-release": b"ID=test"}, prefix="/")
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id]}
    base = Image({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}, (layer,))
    return append(base, [layer_of_files({"main.py": b"print('hello')"})], entrypoint=["python", "/app/main.py"])


def test_what_was_pushed_is_pulled_by_tag_and_digest(host: str, image: Image, tmp_path: Path) -> None:
    registry = Registry(host)
    digest = registry.push(image, "papers/index-job", "1.0")
    assert digest == image.digest == registry.pull("papers/index-job", "1.0").digest
    unpack(registry.pull("papers/index-job", digest), tmp_path / "root")
    assert (tmp_path / "root/app/main.py").read_text() == "print('hello')"
    assert (tmp_path / "root/etc/os-release").read_text() == "ID=test"


def test_tags_are_listed(host: str, image: Image) -> None:
    registry = Registry(host)
    registry.push(image, "papers/index-job", "1.1")
    registry.push(image, "papers/index-job", "1.0")
    assert registry.tags("papers/index-job") == ["1.0", "1.1"]


def test_image_is_copied_from_one_repository_to_another(host: str, image: Image) -> None:
    registry = Registry(host)
    registry.push(image, "papers/index-job", "1.0")
    pulled = registry.pull("papers/index-job", "1.0")
    assert registry.push(append(pulled, []), "mirror", "1.0") == registry.manifest("mirror", "1.0").digest


def test_layers_that_are_there_are_not_sent_again(host: str, image: Image) -> None:
    registry = Registry(host)
    registry.push(image, "papers/index-job", "1.0")
    unreadable = tuple(replace(layer, open=lambda: pytest.fail("was sent again")) for layer in image.layers)
    registry.push(replace(image, layers=unreadable), "papers/index-job", "1.1")


def test_layers_of_another_repository_are_not_sent_again(host: str, image: Image) -> None:
    registry = Registry(host)
    registry.push(image, "papers/index-job", "1.0")
    unreadable = tuple(replace(layer, open=lambda: pytest.fail("was sent again")) for layer in image.layers)
    registry.push(replace(image, layers=unreadable), "mirror", "1.0", source="papers/index-job")
    assert registry.pull("mirror", "1.0").layers[0].open().read() == image.layers[0].open().read()


def test_layers_that_the_other_repository_lacks_are_sent(host: str, image: Image) -> None:
    registry = Registry(host)
    digest = registry.push(image, "mirror", "1.0", source="papers/index-job")
    assert registry.manifest("mirror", "1.0").digest == digest


def test_index_resolves_to_the_image_of_the_architecture(host: str, image: Image, shelf: Shelf) -> None:
    registry = Registry(host)
    other = replace(image, config={**image.config, "architecture": "arm64"})
    entries = []
    for one in (image, other):
        digest = registry.push(one, "papers/index-job", f"build-{one.config['architecture']}")
        platform = {"os": "linux", "architecture": one.config["architecture"]}
        entries.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "platform": platform})
    index = to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    kind = {"Content-Type": OCI_INDEX}
    requests.put(f"http://{host}/v2/papers/index-job/manifests/1.0", data=index, headers=kind, timeout=60)
    assert registry.pull("papers/index-job", "1.0", "arm64").digest == other.digest
    with pytest.raises(Exception, match=r"not made for linux/s390x, only for linux/amd64, linux/arm64"):
        registry.pull("papers/index-job", "1.0", "s390x")


def test_layer_damaged_on_its_way_up_is_refused(host: str, image: Image) -> None:
    damaged = replace(image.layers[0], open=lambda: io.BytesIO(b"something else"))
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        Registry(host).push(replace(image, layers=(damaged,)), "papers/index-job", "1.0")


def test_layer_damaged_in_the_registry_is_noticed_by_who_pulls(host: str, image: Image, tmp_path: Path) -> None:
    registry = Registry(host)
    registry.push(image, "papers/index-job", "1.0")
    stored = Blobs(tmp_path / "blobs").path("papers/index-job", image.layers[1].digest)
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    with pytest.raises(DigestMismatch):
        unpack(registry.pull("papers/index-job", "1.0"), tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_layer_damaged_on_its_way_between_registries_is_noticed(host: str, image: Image) -> None:
    layer = image.layers[0]
    content = io.BytesIO(b"?" * layer.size)
    damaged = replace(layer, open=lambda: cast(BinaryIO, VerifiedReader(content, layer.digest, layer.size)))
    with pytest.raises(DigestMismatch):
        Registry(host).push(replace(image, layers=(damaged,)), "papers/index-job", "1.0")


def test_unknown_names_are_told_apart(host: str, image: Image) -> None:
    registry = Registry(host)
    with pytest.raises(RegistryError) as no_repository:
        registry.push(image, "nowhere", "1.0")
    with pytest.raises(RegistryError) as no_image:
        registry.pull("papers/index-job", "9.9")
    assert (no_repository.value.status, no_repository.value.code) == (404, "NAME_UNKNOWN")
    assert (no_image.value.status, no_image.value.code) == (404, "MANIFEST_UNKNOWN")


class TestWire:
    """What other clients do, which ours does not."""

    @pytest.fixture
    def uploads(self, host: str) -> str:
        return f"http://{host}/v2/papers/index-job/blobs/uploads/"

    def test_chunks_arrive_in_order_or_not_at_all(self, uploads: str, host: str) -> None:
        location = f"http://{host}" + requests.post(uploads, timeout=60).headers["Location"]
        first = requests.patch(location, data=b"one ", headers={"Content-Range": "0-3"}, timeout=60)
        assert (first.status_code, first.headers["Range"]) == (202, "0-3")
        wrong = requests.patch(location, data=b"three", headers={"Content-Range": "8-12"}, timeout=60)
        assert wrong.status_code == 416
        requests.patch(location, data=iter([b"two ", b"three"]), timeout=60)  # sent as HTTP chunks
        digest = digest_of(b"one two three")
        assert requests.put(location, params={"digest": digest}, timeout=60).status_code == 201
        assert requests.get(f"http://{host}/v2/papers/index-job/blobs/{digest}", timeout=60).content == b"one two three"

    def test_blob_may_come_in_one_request(self, uploads: str, host: str) -> None:
        digest = digest_of(b"whole")
        assert requests.post(uploads, params={"digest": digest}, data=b"whole", timeout=60).status_code == 201
        found = requests.head(f"http://{host}/v2/papers/index-job/blobs/{digest}", timeout=60)
        assert (found.status_code, found.headers["Content-Length"]) == (200, "5")

    def test_blob_is_mounted_from_another_repository(self, uploads: str, host: str) -> None:
        digest = digest_of(b"shared")
        requests.post(uploads, params={"digest": digest}, data=b"shared", timeout=60)
        mirror = f"http://{host}/v2/mirror/blobs"
        assert requests.head(f"{mirror}/{digest}", timeout=60).status_code == 404
        mount = {"mount": digest, "from": "papers/index-job"}
        assert requests.post(f"{mirror}/uploads/", params=mount, timeout=60).status_code == 201
        assert requests.get(f"{mirror}/{digest}", timeout=60).content == b"shared"

    def test_mount_of_what_is_not_there_becomes_an_upload(self, host: str) -> None:
        mount = {"mount": digest_of(b"nothing"), "from": "papers/index-job"}
        answer = requests.post(f"http://{host}/v2/mirror/blobs/uploads/", params=mount, timeout=60)
        assert (answer.status_code, "Location" in answer.headers) == (202, True)

    def test_cancelled_upload_is_gone(self, uploads: str, host: str) -> None:
        location = f"http://{host}" + requests.post(uploads, timeout=60).headers["Location"]
        assert requests.delete(location, timeout=60).status_code == 204
        assert requests.patch(location, data=b"x", timeout=60).json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"

    @pytest.mark.parametrize(
        ("method", "path", "content", "kind", "expected"),
        [
            ("PUT", "papers/index-job/manifests/1.0", b"not JSON", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
            ("PUT", "papers/index-job/manifests/1.0", b"[]", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
            ("PUT", "papers/index-job/manifests/1.0", b"\xff", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
            ("PUT", "papers/index-job/manifests/1.0", b"{}", "text/plain", (415, "MANIFEST_INVALID")),
            ("PUT", "papers/index-job/manifests/-x", b'{"manifests": []}', OCI_INDEX, (400, "TAG_INVALID")),
            (
                "PUT",
                f"papers/index-job/manifests/sha256:{'0' * 64}",
                b'{"manifests": []}',
                OCI_INDEX,
                (400, "DIGEST_INVALID"),
            ),
            ("GET", "papers/index-job/blobs/sha256:..", None, None, (400, "DIGEST_INVALID")),
            ("GET", f"papers/index-job/blobs/sha256:{'0' * 64}", None, None, (404, "BLOB_UNKNOWN")),
            ("DELETE", "papers/index-job/manifests/1.0", None, None, (405, "UNSUPPORTED")),
            ("GET", "../../etc/passwd", None, None, (405, "UNSUPPORTED")),
        ],
    )
    def test_bad_requests_are_answered_in_the_words_of_the_specification(
        self, host: str, method: str, path: str, content: bytes | None, kind: str | None, expected: tuple[int, str]
    ) -> None:
        headers = {"Content-Type": kind} if kind else {}
        answer = requests.request(method, f"http://{host}/v2/{path}", data=content, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == expected
