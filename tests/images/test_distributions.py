"""The layer of dependencies holds what the named distributions need, and runs without anything else."""

import gzip
import importlib.metadata
import platform
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ragonotebooks.errors import UsageError
from ragonotebooks.images import Layer, layer_of_distributions
from ragonotebooks.images.distributions import closure

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="images are made of Linux wheels")


def _names(*wanted: str) -> set[str]:
    return {found.name.lower().replace("_", "-") for found in closure(wanted)}


def _extract(layer: Layer, folder: Path) -> Path:
    with layer.open() as blob, tarfile.open(fileobj=gzip.GzipFile(fileobj=blob)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "app/site-packages"


def test_closure_follows_requirements() -> None:
    assert {"boto3", "botocore", "jmespath", "urllib3", "six"} <= _names("boto3")


def test_closure_follows_an_extra_only_when_it_is_asked_for() -> None:
    assert "psycopg-binary" not in _names("psycopg")
    assert "psycopg-binary" in _names("psycopg[binary]")


def test_closure_leaves_out_what_another_platform_needs() -> None:
    assert "colorama" not in _names("tqdm")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules folder of an image with such a layer."""
    return _extract(layer_of_distributions(["numpy", "psycopg[binary]", "boto3"]), tmp_path_factory.mktemp("image"))


def test_layer_runs_without_anything_else(site: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import numpy, psycopg, boto3, importlib.metadata as m;"
        "assert numpy.arange(3).sum() == 3 and psycopg.pq.__impl__ == 'binary' and m.version('boto3');"
        "assert all(x.__file__.startswith(sys.argv[1]) for x in (numpy, psycopg, boto3))"
    )
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", program, str(site)], check=True)


def test_layer_names_nothing_of_this_machine(site: Path) -> None:
    names = {path.name for path in site.rglob("*")}
    assert not names & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "tests", "__pycache__", "bin"}
    metadata = [path for path in site.rglob("*.dist-info/*") if path.is_file()]
    assert not [path for path in metadata if sys.prefix.encode() in path.read_bytes()]


def test_layer_comes_out_the_same_twice() -> None:
    assert layer_of_distributions(["boto3"]) == layer_of_distributions(["boto3"])


def test_missing_distribution_is_named_with_who_requires_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragonotebooks.images.distributions.distribution", _without("jmespath"))
    with pytest.raises(UsageError, match=r"jmespath, which (boto3|botocore) requires, is not installed: pip install"):
        layer_of_distributions(["boto3"])


def test_editable_distribution_is_refused_with_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    _let_say(monkeypatch, "direct_url.json", '{"dir_info": {"editable": true}, "url": "file:///x"}')
    with pytest.raises(UsageError, match=r"toml is installed as editable: add its folder with layer_of_files"):
        layer_of_distributions(["toml"])


def test_distribution_built_for_this_machine_alone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _let_say(monkeypatch, "WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-linux_x86_64\n")
    with pytest.raises(UsageError, match=r"toml was not installed from a wheel that runs on every Linux"):
        layer_of_distributions(["toml"])


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "riscv64")])
def test_other_platforms_are_refused(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(UsageError, match="do not run in an image"):
        layer_of_distributions(["toml"])


def _without(missing: str) -> Callable[[str], importlib.metadata.Distribution]:
    def distribution(name: str) -> importlib.metadata.Distribution:
        if name == missing:
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.distribution(name)

    return distribution


def _let_say(monkeypatch: pytest.MonkeyPatch, file: str, content: str) -> None:
    read = importlib.metadata.PathDistribution.read_text

    def read_text(self: importlib.metadata.PathDistribution, name: str) -> str | None:
        return content if name == file else read(self, name)

    monkeypatch.setattr(importlib.metadata.PathDistribution, "read_text", read_text)


def test_layer_leaves_out_what_a_layer_below_holds(tmp_path: Path) -> None:
    upper = _extract(layer_of_distributions(["boto3"], without=["botocore"]), tmp_path)
    assert {path.name for path in upper.iterdir() if not path.name.endswith(".dist-info")} == {"boto3", "s3transfer"}
