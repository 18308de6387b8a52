"""Artifact Registry: docker repositories, and what was pushed to them. The registry's own wire is in `docker_registry.py`.

What is pushed becomes packages, versions, tags and docker images of the store, so the API and the registry have one truth.
Cleanup policies are carried out whenever something is pushed or they change; Google does so about once a day. What immutable
tags forbid: Artifact Registry, "Update repository settings", read 2026-11.
"""

import re
from typing import Any, ClassVar, Final

from google.cloud.artifactregistry_v1 import types

from ragonotebooks.images.image import Image, Manifest
from ragonotebooks.sandbox.gcp import cleanup
from ragonotebooks.sandbox.gcp.artifact_names import (
    REFERENCE,
    docker_name,
    image_name,
    location_of,
    package_name,
    repository_of,
    version_of,
)
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute.names import REGIONS
from ragonotebooks.sandbox.gcp.docker_registry import DockerRegistry
from ragonotebooks.sandbox.gcp.errors import invalid, not_found, unmet, unsupported
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.service import Call, Service, creating, deleting, rpc, showing, updated, updating

_ID: Final = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_MULTI_REGIONS: Final = ("asia", "europe", "us")
_UNSUPPORTED: Final = (
    "maven_config",
    "virtual_repository_config",
    "remote_repository_config",
    "kms_key_name",
    "vulnerability_scanning_config",
)


class ArtifactRegistry(Service):
    """Repositories of the docker format."""

    host = "artifactregistry.googleapis.com"
    title = "Artifact Registry API"
    clients = ("google.cloud.artifactregistry_v1:ArtifactRegistryClient",)
    keeps = frozenset(("Repository", "Package", "Version", "Tag", "DockerImage"))
    permissions: ClassVar = {
        "ListDockerImages": "artifactregistry.dockerimages.list",
        "GetDockerImage": "artifactregistry.dockerimages.get",
        "BatchDeleteVersions": "artifactregistry.versions.delete",
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._manifests: dict[str, Manifest] = {}
        self.registry = DockerRegistry(cloud, self)

    @creating("Repository")
    def _creating(self, call: Call, repository: Any) -> None:
        self._check(repository)
        place, _, name = repository.name.rpartition("/repositories/")
        if not _ID.fullmatch(name):
            raise invalid(f"The repository id {name!r} must match {_ID.pattern}.", {"repository_id": _ID.pattern})
        repository.mode = types.Repository.Mode.STANDARD_REPOSITORY
        location = place.rpartition("/")[2]
        if location not in (*REGIONS, *_MULTI_REGIONS):
            raise invalid(f"The location {location} does not exist.", {"parent": "unknown location"})
        repository.registry_uri = f"{location}-docker.pkg.dev/{call.cloud.project.id}/{name}"

    @updating("Repository")
    def _updating(self, call: Call, before: Any, after: Any) -> None:
        self._check(after)

    @updated("Repository")
    def _updated(self, call: Call, before: Any, after: Any) -> None:
        self.clean(after.name)

    @deleting("Repository")
    def _deleting(self, call: Call, repository: Any) -> None:
        for entry in list(call.cloud.store.children(self.host, f"{repository.name}/packages")):
            self._forget_package(entry.name)

    @showing("Repository")
    def _showing(self, call: Call, repository: Any) -> None:
        packages = call.cloud.store.children(self.host, f"{repository.name}/packages")
        repository.size_bytes = sum(sum(self.registry.sizes(entry.name).values()) for entry in packages)

    @creating("Tag")
    def _creating_tag(self, call: Call, tag: Any) -> None:
        self._check_tag(tag.name, tag.version)

    @updating("Tag")
    def _updating_tag(self, call: Call, before: Any, after: Any) -> None:
        self._check_tag(after.name, after.version)

    @deleting("Tag")
    def _deleting_tag(self, call: Call, tag: Any) -> None:
        if self.is_immutable(repository_of(tag.name)):
            raise unmet(f"The tag {tag.name} cannot be deleted: the repository has immutable tags.")

    @deleting("Package")
    def _deleting_package(self, call: Call, package: Any) -> None:
        for entry in call.cloud.store.children(self.host, f"{package.name}/versions"):
            self._require_deletable(entry.name)
        self._forget_package(package.name)

    @deleting("Version")
    def _deleting_version(self, call: Call, version: Any) -> None:
        tags = self.tags_of(version.name)
        if tags and not call.message.force:
            raise unmet(f"The version {version.name} has the tags {', '.join(tags)}: delete them first, or set force.")
        self._require_deletable(version.name)
        self.forget_version(version.name)

    @showing("Version")
    def _showing_version(self, call: Call, version: Any) -> None:
        if getattr(call.message, "view", 0) == types.VersionView.FULL:
            package = version.name.rpartition("/versions/")[0]
            for tag in self.tags_of(version.name):
                version.related_tags.add(name=f"{package}/tags/{tag}", version=version.name)

    @showing("DockerImage")
    def _showing_image(self, call: Call, image: Any) -> None:
        image.tags.extend(self.tags_of(version_of(image.name)))

    @rpc("BatchDeleteVersions")
    def _batch_delete(self, call: Call) -> Made:
        for name in call.message.names:
            call.cloud.store.get(self.host, name)
            self._require_deletable(name)
        if not call.message.validate_only:
            for name in call.message.names:
                self.forget_version(name)
        return None, None

    def put(self, package: str, tag: str | None, manifest: Manifest, built: str | None) -> None:
        """Keep what was pushed.

        Args:
            package: The package's name in full.
            tag: What it is called; None for no name but its digest.
            manifest: What was pushed.
            built: When the image says that it was built.

        Raises:
            ApiError: The tag is another image's and cannot move.
        """
        store, version = self.cloud.store, f"{package}/versions/{manifest.digest}"
        there = store.find(self.host, f"{package}/tags/{tag}") if tag else None
        if there is not None and there.version != version and self.is_immutable(repository_of(package)):
            raise unmet(f"The repository has enabled tag immutability: the tag {tag} is that of another image.")
        if store.find(self.host, package) is None:
            self._keep(types.Package(name=package), package)
        if store.find(self.host, version) is None:
            self._manifests[version] = manifest
            made = types.Version(name=version, metadata={"name": image_name(version)})
            self._keep(made, version)
            self._keep_image(version, manifest, built)
        if tag:
            made = types.Tag.pb(types.Tag(name=f"{package}/tags/{tag}", version=version))
            store.put(self.host, made.name, made)
        self.clean(repository_of(package))

    def manifest(self, package: str, reference: str) -> Manifest | None:
        """Return what a tag or digest of a package names, None when there is nothing of it."""
        tag = self.cloud.store.find(self.host, f"{package}/tags/{reference}")
        return self._manifests.get(tag.version if tag else f"{package}/versions/{reference}")

    def tags(self, package: str) -> list[str]:
        """Return all tags of a package."""
        entries = self.cloud.store.children(self.host, f"{package}/tags")
        return [entry.name.rpartition("/")[2] for entry in entries]

    def tags_of(self, version: str) -> list[str]:
        """Return the tags of a version, by its name in full."""
        entries = self.cloud.store.children(self.host, f"{version.rpartition('/versions/')[0]}/tags")
        return [entry.name.rpartition("/")[2] for entry in entries if entry.resource.version == version]

    def resolve(self, reference: str) -> tuple[str, str]:
        """Return the repository (in full) and the digest of an image such as `us-docker.pkg.dev/p/r/image:tag`.

        Raises:
            ApiError: The sandbox has no such image.
        """
        package, wanted = _understood(reference)
        manifest = self.manifest(package, wanted)
        if manifest is None:
            raise not_found(f"Image '{reference}'")
        return repository_of(package), manifest.digest

    def image(self, reference: str, digest: str) -> Image:
        """Return an image for someone inside of the sandbox, who needs no login and no network."""
        package, _ = _understood(reference)
        manifest = self.manifest(package, digest)
        if manifest is None:
            raise not_found(f"Image '{reference}'")
        return self.registry.image(package, manifest)

    def is_immutable(self, repository: str) -> bool:
        """Whether tags of a repository never move or go, and images stay as long as they have one."""
        return bool(self.cloud.store.get(self.host, repository).docker_config.immutable_tags)

    def clean(self, repository: str) -> None:
        """Delete what the repository's policies say."""
        kept = self.cloud.store.get(self.host, repository)
        if kept.cleanup_policies and not kept.cleanup_policy_dry_run:
            versions = [
                cleanup.Candidate(entry.resource, tuple(self.tags_of(entry.name)))
                for entry in self.cloud.store.children(self.host, f"{repository}/packages/-/versions")
            ]
            for name in cleanup.unwanted(kept.cleanup_policies.values(), versions):
                if not self._is_fixed(name):
                    self.forget_version(name)

    def forget_version(self, version: str) -> None:
        """Delete a version, its tags and its image."""
        package = version.rpartition("/versions/")[0]
        self._manifests.pop(version, None)
        for tag in self.tags_of(version):
            self.cloud.store.delete(self.host, f"{package}/tags/{tag}")
        self.cloud.store.delete(self.host, version)
        self.cloud.store.delete(self.host, image_name(version))
        left = [manifest for name, manifest in self._manifests.items() if name.startswith(f"{package}/versions/")]
        self.registry.sweep(package, left)

    def _is_fixed(self, version: str) -> bool:
        return self.is_immutable(repository_of(version)) and bool(self.tags_of(version))

    def _require_deletable(self, version: str) -> None:
        if self._is_fixed(version):
            raise unmet(
                f"The version {version} cannot be deleted: it has a tag, and the repository has immutable tags."
            )

    def _forget_package(self, package: str) -> None:
        for entry in list(self.cloud.store.children(self.host, f"{package}/versions")):
            self.forget_version(entry.name)

    def _keep_image(self, version: str, manifest: Manifest, built: str | None) -> None:
        package = version.rpartition("/versions/")[0]
        host = f"{location_of(package)}-docker.pkg.dev"
        made = types.DockerImage.pb(
            types.DockerImage(
                name=image_name(version),
                uri=f"{host}/{docker_name(package)}@{manifest.digest}",
                image_size_bytes=manifest.size,
                media_type=manifest.media_type,
            )
        )
        made.upload_time.GetCurrentTime()
        made.update_time.GetCurrentTime()
        if built:
            made.build_time.FromJsonString(built)
        self.cloud.store.put(self.host, made.name, made)

    def _keep(self, resource: Any, name: str) -> None:
        plain = type(resource).pb(resource)
        plain.create_time.GetCurrentTime()
        plain.update_time.GetCurrentTime()
        self.cloud.store.put(self.host, name, plain)

    def _check(self, repository: Any) -> None:
        if repository.format_ != types.Repository.Format.DOCKER:
            name = types.Repository.Format(repository.format_).name
            raise unsupported(f"a repository of the format {name}", "is not supported by the sandbox, only DOCKER")
        if repository.mode not in (0, types.Repository.Mode.STANDARD_REPOSITORY):
            raise unsupported(f"a repository of the mode {types.Repository.Mode(repository.mode).name}")
        for name in _UNSUPPORTED:
            field = repository.DESCRIPTOR.fields_by_name[name]
            if repository.HasField(name) if field.has_presence else getattr(repository, name):
                raise unsupported(f"{name} of a repository")
        cleanup.check(repository.cleanup_policies)

    def _check_tag(self, name: str, version: str) -> None:
        package = name.rpartition("/tags/")[0]
        if not version.startswith(f"{package}/versions/"):
            raise invalid("A tag names a version of its own package.", {"tag.version": "malformed"})
        self.cloud.store.get(self.host, version)
        there = self.cloud.store.find(self.host, name)
        if there is not None and there.version != version and self.is_immutable(repository_of(name)):
            raise unmet(f"The repository has enabled tag immutability: the tag {name} cannot move.")


def _understood(reference: str) -> tuple[str, str]:
    """The package of an image such as `us-docker.pkg.dev/p/r/image:tag`, and its digest or tag."""
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise invalid(
            f"Expected an image path like [region-]docker.pkg.dev/project/repository/image, but obtained {reference}; "
            "the sandbox plays no other registry."
        )
    package = package_name(found["location"], found["project"], found["repository"], found["package"])
    return package, found["digest"] or found["tag"] or "latest"
