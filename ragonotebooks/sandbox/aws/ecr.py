"""Amazon ECR: moto keeps repositories and images, a real registry keeps and serves their blobs.

The registry asks moto's repositories for every manifest and tag, so an image that was pushed is an image that the API
describes, and what the API deletes is gone from the registry. Scans, lifecycle policies and replication are moto's own.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

from moto.core.exceptions import ServiceException
from moto.core.resource_tagging import TaggableResourcesMixin, TaggedResource
from moto.core.responses import ActionResult
from moto.ecr import models
from moto.ecr.exceptions import ImageAlreadyExistsException, ImageNotFoundException, InvalidParameterException
from moto.ecr.responses import ECRResponse

from ragonotebooks.images.image import Manifest
from ragonotebooks.sandbox.aws.ecr_registry import Allows, EcrRegistry, manifest_of
from ragonotebooks.sandbox.parts.registry import Blobs


class _EcrError(ServiceException):
    """An error of ECR's that moto does not know, given by its code and message."""

    __module__ = InvalidParameterException.__module__  # moto takes the service's name from it


def install(folder: Path, lock: AbstractContextManager[Any], allows: Allows) -> EcrRegistry:
    """Put a registry behind moto's ECR, before moto's first use of it, and return the application that serves it.

    Args:
        folder: Where the blobs lie.
        lock: What moto is called under.
        allows: Decides what the holder of an authorization token may do.
    """
    registry = EcrRegistry(folder, lock, allows)
    # moto derives the service's URLs from the module that a backend says it is of
    names = {"__module__": models.ECRBackend.__module__, "folder": folder}
    models.ecr_backends.backend = type("ECRBackend", (EcrBackend,), names)

    def get_authorization_token(self: ECRResponse) -> ActionResult:
        accounts = self._get_param("registryIds") or [self.current_account]
        return ActionResult({"authorizationData": [authorization(self, account) for account in accounts]})

    def authorization(request: ECRResponse, registry_account: str) -> dict[str, Any]:
        token, login = registry.logins.give(request.current_account, request.access_key)
        return {
            "authorizationToken": b64encode(f"AWS:{token}".encode()).decode(),
            "expiresAt": login.expires,
            "proxyEndpoint": f"https://{registry_account}.dkr.ecr.{request.region}.amazonaws.com",
        }

    setattr(ECRResponse, "get_authorization_token", get_authorization_token)  # noqa: B010 - an assignment to a method
    return registry


class StoredImage(models.Image):
    """An image as it lies in a repository; unlike moto's own, it has its true digest and size."""

    def __init__(self, repository: models.Repository, manifest: Manifest) -> None:
        content, registry = manifest.content.decode(), repository.registry_id
        super().__init__(registry, "", content, repository.name, manifest.media_type, manifest.digest)
        self.image_tags.clear()
        self.artifact_media_type = manifest.fields.get("config", {}).get("mediaType")
        self._size = manifest.size

    @property
    def image_id(self) -> dict[str, str]:
        return {"imageDigest": self.image_digest} | ({"imageTag": self.image_tag} if self.image_tags else {})

    def get_image_size_in_bytes(self) -> int:
        return self._size

    def remove_tag(self, tag: str) -> None:
        super().remove_tag(tag)
        self.image_tag = self.image_tags[-1] if self.image_tags else ""


class EcrBackend(models.ECRBackend, TaggableResourcesMixin):
    """moto's backend, with blobs behind it, tags that hold, and its repositories known to the tagging API."""

    SERVICE_NAMESPACE = "ecr"
    folder: ClassVar[Path]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.blobs = Blobs(self.folder / account_id / region_name)

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str | None,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> models.Image:
        """Store a manifest under a tag, as the API and the registry both do."""
        repository = self._get_repository(repository_name)
        manifest = _manifest(image_manifest, image_manifest_mediatype, digest)
        self._require_parts(repository, manifest)
        image = next((known for known in repository.images if known.image_digest == manifest.digest), None)
        holder = next((known for known in repository.images if image_tag in known.image_tags), None)
        if holder and not _is_mutable(repository, image_tag):
            raise _EcrError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{image_tag}' already exists in the '{repository_name}' repository "
                "and cannot be overwritten because the tag is immutable.",
            )
        if image and image_tag in (None, *image.image_tags):
            raise ImageAlreadyExistsException(repository_name, repository.registry_id, manifest.digest, str(image_tag))
        if holder and image_tag:
            holder.remove_tag(image_tag)
        if image is None:
            image = StoredImage(repository, manifest)
            repository.images.append(image)
        if image_tag:
            image.update_tag(image_tag)
        return image

    def batch_get_image(
        self, repository_name: str, registry_id: str | None = None, image_ids: list[dict[str, str]] | None = None
    ) -> dict[str, Any]:
        """Return images by tag or digest, each with the tag it was asked by."""
        repository = self._get_repository(repository_name, registry_id)
        answer: dict[str, list[Any]] = {"images": [], "failures": []}
        for wanted in image_ids or []:
            try:
                image = repository._get_image(wanted.get("imageTag"), wanted.get("imageDigest"))
            except ImageNotFoundException:
                reason = "Requested image not found"
                answer["failures"].append({"imageId": wanted, "failureCode": "ImageNotFound", "failureReason": reason})
            else:
                found = {name: getattr(image, name) for name in ("registry_id", "repository_name", "image_manifest")}
                media_type = {"imageManifestMediaType": image.image_manifest_media_type}
                answer["images"].append(found | media_type | {"imageId": {**wanted, "imageDigest": image.image_digest}})
        return answer

    def batch_delete_image(
        self, repository_name: str, registry_id: str | None = None, image_ids: list[dict[str, str]] | None = None
    ) -> dict[str, Any]:
        """Delete tags and images, and the blobs that no image is made of any more."""
        repository = self._get_repository(repository_name, registry_id)
        before = _blobs_of(repository)
        untagged = {image.image_digest for image in repository.images if not image.image_tags}
        answer: dict[str, Any] = super().batch_delete_image(repository_name, registry_id, image_ids)
        left = {image.image_digest for image in repository.images}
        answer["imageIds"] += [{"imageDigest": digest} for digest in sorted(untagged - left)]
        self.blobs.delete(repository_name, before - _blobs_of(repository))
        return answer

    def delete_repository(
        self, repository_name: str, registry_id: str | None = None, force: bool = False
    ) -> models.Repository:
        """Delete a repository with its blobs."""
        repository = super().delete_repository(repository_name, registry_id, force)
        self.blobs.delete_all(repository_name)
        return repository

    def batch_check_layer_availability(
        self, repository_name: str, layer_digests: list[str], registry_id: str | None = None
    ) -> dict[str, Any]:
        """Say which layers the registry holds."""
        self._get_repository(repository_name, registry_id).layers = self.blobs.sizes(repository_name)
        answer: dict[str, Any] = super().batch_check_layer_availability(repository_name, layer_digests, registry_id)
        return answer

    def complete_layer_upload(
        self, repository_name: str, upload_id: str, layer_digests: list[str], registry_id: str | None = None
    ) -> dict[str, Any]:
        """Make a blob of the parts that were uploaded through the API."""
        upload = self._get_repository(repository_name, registry_id).uploads.get(upload_id)
        answer: dict[str, Any] = super().complete_layer_upload(repository_name, upload_id, layer_digests, registry_id)
        if upload:  # without one, moto has raised
            self.blobs.add(repository_name, bytes(upload.layer_parts))
        return answer

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """Tell the tagging API of the repositories."""
        for repository in self.repositories.values():
            tags = self.tagger.get_tag_dict_for_resource(repository.arn)
            yield TaggedResource(repository.arn, tags, "ecr:repository")

    def tag_resource(self, arn: str, tags: list[dict[str, str]] | dict[str, str]) -> None:
        """Add tags: ECR's own API gives a list, the tagging API a mapping."""
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()] if isinstance(tags, dict) else tags
        super().tag_resource(arn, pairs)

    def _require_parts(self, repository: models.Repository, manifest: Manifest) -> None:
        """Refuse a manifest of which not every part is there: images for an index, blobs for an image."""
        images = {image.image_digest for image in repository.images}
        where = f"the repository with name '{repository.name}' in the registry with id '{repository.registry_id}'"
        wanted = [entry["digest"] for entry in manifest.fields.get("manifests", [])]
        if missing := sorted(set(wanted) - images):
            raise _EcrError(
                "ReferencedImagesNotFoundException",
                f"Images with digests '{missing}' required for pushing image into {where} do not exist",
            )
        if missing := sorted({blob["digest"] for blob in manifest.blobs} - set(self.blobs.sizes(repository.name))):
            raise _EcrError(
                "LayersNotFoundException",
                f"Layers with digests '{missing}' required for pushing image into {where} do not exist",
            )


def _manifest(content: str, media_type: str | None, digest: str | None) -> Manifest:
    """Check what `PutImage` was given."""
    try:
        media_type = media_type or json.loads(content).get("mediaType")
    except ValueError:
        problem = "Invalid JSON syntax"
        raise InvalidParameterException(
            f"Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{problem}'"
        ) from None
    if not media_type:
        raise InvalidParameterException("image manifest mediatype not provided in manifest or parameter")
    manifest = Manifest(content.encode(), media_type)
    if digest not in (None, manifest.digest):
        raise _EcrError("ImageDigestDoesNotMatchException", f"The image has the digest {manifest.digest}, not {digest}")
    return manifest


def _is_mutable(repository: models.Repository, tag: str | None) -> bool:
    """Tell whether a tag may move: the repository's rule, or its opposite for the tags that a filter excludes."""
    filters = repository.image_tag_mutability_exclusion_filters or []
    excluded = any(fnmatchcase(tag or "", rule["filter"]) for rule in filters)
    return repository.is_tag_immutable() == excluded


def _blobs_of(repository: models.Repository) -> set[str]:
    """Return the digests of the blobs that the repository's images are made of."""
    return {blob["digest"] for image in repository.images for blob in manifest_of(image).blobs}
