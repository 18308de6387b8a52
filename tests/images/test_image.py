"""Appending to a base: what is new, what stays, and that nothing depends on the time of day."""

import json

import pytest

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.images import Image, Manifest, append, layer_of_files
from ragonotebooks.images.image import OCI_INDEX


@pytest.fixture
def base() -> Image:
    layer = layer_of_files({"etc/os-release": b"ID=test"}, prefix="/")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T12:00:00Z",
        "config": {"Env": ["PATH=/usr/bin", "LANG=C"], "Cmd": ["python3"], "Labels": {"a": "1"}},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        "history": [{"created_by": "base"}],
    }
    return Image(config, (layer,))


def test_appended_layers_lie_above_the_base(base: Image) -> None:
    layer = layer_of_files({"main.py": b""})
    image = append(base, [layer])
    assert image.layers == (*base.layers, layer)
    assert image.config["rootfs"]["diff_ids"] == [base.layers[0].diff_id, layer.diff_id]
    assert len(image.config["history"]) == len(image.layers)
    assert [entry["digest"] for entry in image.manifest.fields["layers"]] == [base.layers[0].digest, layer.digest]


def test_environment_and_labels_are_added_to_the_base(base: Image) -> None:
    running = append(base, [], env={"LANG": "C.UTF-8", "NEW": "a=b"}, labels={"b": "2"}).config["config"]
    assert running["Env"] == ["PATH=/usr/bin", "LANG=C.UTF-8", "NEW=a=b"]
    assert running["Labels"] == {"a": "1", "b": "2"}


def test_new_entry_point_empties_the_command_of_the_base(base: Image) -> None:
    running = append(base, [], entrypoint=["python", "-m", "app"], working_dir="/app").config["config"]
    assert (running["Entrypoint"], running["Cmd"], running["WorkingDir"]) == (["python", "-m", "app"], [], "/app")
    assert append(base, [], entrypoint=["python"], cmd=["x.py"]).config["config"]["Cmd"] == ["x.py"]


def test_base_is_not_changed(base: Image) -> None:
    before = json.dumps(base.config)
    append(base, [layer_of_files({"a": b""})], env={"A": "1"}, entrypoint=["x"])
    assert json.dumps(base.config) == before


def test_the_same_image_has_the_same_digest(base: Image) -> None:
    one, other = (append(base, [layer_of_files({"a": b"1"})], env={"A": "1"}) for _ in range(2))
    assert one.digest == other.digest != base.digest


def test_an_index_is_not_an_image() -> None:
    index = Manifest(b'{"manifests": []}', OCI_INDEX)
    with pytest.raises(RagonotebooksError, match="is not that of an image"):
        Image.load(index, lambda digest, size: pytest.fail("nothing to open"))
