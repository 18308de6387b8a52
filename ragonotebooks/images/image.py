"""An image: a configuration and layers, and the manifest that names both by digest. `append` makes one upon a base."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, BinaryIO, Final

from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.images.digest import digest_of
from ragonotebooks.images.layers import GZIP_LAYER, TAR_LAYER, Layer

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
INDEXES: Final = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS: Final = (OCI_MANIFEST, DOCKER_MANIFEST)

# Docker's older names of the same formats; an image that is made here is an OCI image throughout.
_OCI_NAMES: Final = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": GZIP_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar": TAR_LAYER,
}
_ARCHITECTURES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_NO_TIME: Final = "1970-01-01T00:00:00Z"  # a time of day would give every build another digest

OpenBlob = Callable[[str, int], BinaryIO]


@dataclass(frozen=True)
class Manifest:
    """A manifest or index exactly as it is stored: its digest is that of these bytes."""

    content: bytes
    media_type: str

    @cached_property
    def digest(self) -> str:
        return digest_of(self.content)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """What the JSON says."""
        fields: dict[str, Any] = json.loads(self.content)
        return fields

    @property
    def blobs(self) -> list[dict[str, Any]]:
        """The descriptors of the configuration and the layers; an index has none."""
        return [self.fields["config"], *self.fields["layers"]] if "config" in self.fields else []

    @property
    def size(self) -> int:
        """The size of all layers as a registry stores them, in bytes."""
        return sum(layer["size"] for layer in self.fields.get("layers", []))


@dataclass(frozen=True)
class Image:
    """An image whose layers may lie here or in a registry; its digest is known before it is pushed.

    Attributes:
        config: The image configuration: `architecture`, `os`, `config` (Env, Entrypoint, Cmd…), `rootfs`, `history`.
        layers: From the lowest to the uppermost.
    """

    config: Mapping[str, Any]
    layers: tuple[Layer, ...]

    @classmethod
    def load(cls, manifest: Manifest, open_blob: OpenBlob) -> "Image":
        """Make the image that a manifest describes; `open_blob` opens and checks a blob, given by its digest and size.

        Raises:
            RagonotebooksError: The manifest is not that of an image.
        """
        if manifest.media_type not in MANIFESTS:
            raise RagonotebooksError(
                f"The manifest {manifest.digest} is not that of an image, but a {manifest.media_type}"
            )
        described = manifest.fields
        with open_blob(described["config"]["digest"], described["config"]["size"]) as blob:
            config = json.loads(blob.read())
        layers = zip(described["layers"], config["rootfs"]["diff_ids"], strict=True)
        return cls(config, tuple(_stored_layer(layer, diff_id, open_blob) for layer, diff_id in layers))

    @cached_property
    def config_content(self) -> bytes:
        """The configuration as it is stored."""
        return to_json(self.config)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest as it is stored."""
        config = {"mediaType": OCI_CONFIG, "digest": digest_of(self.config_content), "size": len(self.config_content)}
        layers = [{"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in self.layers]
        return Manifest(
            to_json({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}), OCI_MANIFEST
        )

    @property
    def digest(self) -> str:
        """The digest that a registry will give it."""
        return self.manifest.digest


def append(
    base: Image,
    layers: Sequence[Layer],
    *,
    entrypoint: Sequence[str] | None = None,
    cmd: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    working_dir: str | None = None,
) -> Image:
    """Make a new image of a base and more layers; what is not given stays as it is in the base.

    Args:
        base: The image below; it is not changed.
        layers: From the lowest to the uppermost.
        entrypoint: The program and its first arguments. As in a Dockerfile, a new one empties the base's `cmd`.
        cmd: The arguments that a caller may replace.
        env: Environment variables, added to the base's.
        labels: Labels, added to the base's.
        working_dir: The folder that the program starts in.
    """
    running = dict(base.config.get("config") or {})
    if entrypoint is not None:
        running |= {"Entrypoint": list(entrypoint), "Cmd": []}
    if cmd is not None:
        running["Cmd"] = list(cmd)
    if working_dir is not None:
        running["WorkingDir"] = working_dir
    known = dict(variable.split("=", 1) for variable in running.get("Env") or [])
    running["Env"] = [f"{name}={value}" for name, value in (known | dict(env or {})).items()]
    running["Labels"] = (running.get("Labels") or {}) | dict(labels or {})
    return replace(
        base, config=_with_layers({**base.config, "config": running}, layers), layers=(*base.layers, *layers)
    )


def host_architecture() -> str:
    """Return this machine's architecture as images name it: `amd64` or `arm64`.

    Raises:
        UsageError: The machine is neither.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise UsageError(f"Images are made for amd64 and arm64, not for {machine}: use such a machine")
    return _ARCHITECTURES[machine]


def _with_layers(config: dict[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    """Name the layers in the configuration; its history has an entry a layer, or none at all."""
    rootfs = config["rootfs"]
    config["rootfs"] = {**rootfs, "diff_ids": [*rootfs["diff_ids"], *(layer.diff_id for layer in layers)]}
    config["created"] = _NO_TIME
    if config.get("history"):
        config["history"] = [*config["history"], *({"created": _NO_TIME, "created_by": "append"} for _ in layers)]
    return config


def _stored_layer(descriptor: dict[str, Any], diff_id: str, open_blob: OpenBlob) -> Layer:
    digest, size, media_type = descriptor["digest"], descriptor["size"], descriptor["mediaType"]
    return Layer(digest, diff_id, size, _OCI_NAMES.get(media_type, media_type), lambda: open_blob(digest, size))


def to_json(value: object) -> bytes:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
