"""The registries of ECR, one for each account and region: their hosts, logins, and what they ask moto's repositories.

Repository policies are not looked at: a registry is open to the logins of its own account.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moto.core.exceptions import ServiceException
from moto.ecr import models
from moto.ecr.exceptions import ImageAlreadyExistsException, ImageNotFoundException, RepositoryNotFoundException
from werkzeug.wrappers import Request

from ragonotebooks.images.digest import DIGEST
from ragonotebooks.images.image import Image, Manifest
from ragonotebooks.sandbox.ledger import Need, current_call
from ragonotebooks.sandbox.parts.registry import Action, Blobs, Refusal, RegistryServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HOST: Final = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(:\d+)?")

# The actions that permit what the registry does: Amazon ECR user guide, "Private repository policies", read 2026-11.
_PERMISSIONS: Final[dict[Action, str]] = {
    "list tags": "ListImages",
    "get manifest": "BatchGetImage",
    "put manifest": "PutImage",
    "find blob": "BatchCheckLayerAvailability",
    "get blob": "GetDownloadUrlForLayer",
    "start upload": "InitiateLayerUpload",
    "add to upload": "UploadLayerPart",
    "finish upload": "CompleteLayerUpload",
}
_MUTATING: Final = {"PutImage", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}
TOKEN_LIFE: Final = timedelta(hours=12)  # Amazon ECR API reference, GetAuthorizationToken, read 2026-11
_CODES: Final = {
    "ImageTagAlreadyExistsException": "TAG_INVALID",
    "LayersNotFoundException": "MANIFEST_BLOB_UNKNOWN",
    "ReferencedImagesNotFoundException": "MANIFEST_BLOB_UNKNOWN",
}


@dataclass(frozen=True)
class Login:
    """Who holds an authorization token.

    Attributes:
        account: The account whose registry it opens.
        access_key: The access key that asked for it; its policies hold for what is done with the token.
        caller: The ARN of who asked.
        expires: When it ends.
    """

    account: str
    access_key: str
    caller: str
    expires: datetime


Allows = Callable[[Login, str, str], bool]
"""Decides whether a login may do an action such as `ecr:PutImage` on the resource with this ARN."""


@dataclass
class Logins:
    """The authorization tokens that were given out."""

    _given: dict[str, Login] = field(default_factory=dict)

    def give(self, account: str, access_key: str) -> tuple[str, Login]:
        """Make a new token; return it with what is remembered of it."""
        now = datetime.now(UTC)
        self._given = {token: login for token, login in self._given.items() if login.expires > now}
        call = current_call.get()
        token = secrets.token_urlsafe(48)
        self._given[token] = Login(account, access_key, call.caller if call else "", now + TOKEN_LIFE)
        return token, self._given[token]

    def of(self, token: str) -> Login | None:
        """Return who holds a token, None when nobody does or it has expired."""
        login = self._given.get(token)
        return login if login and login.expires > datetime.now(UTC) else None


@dataclass(frozen=True)
class EcrCatalogue:
    """What moto knows, as the registry of one account in one region asks it."""

    account: str
    region: str
    logins: Logins
    allows: Allows
    lock: AbstractContextManager[Any]

    def authorise(self, request: Request, action: Action, repository: str) -> None:
        """Refuse whoever holds no token, or one whose owner may not do this; note the call in the ledger."""
        login = self._login(request)
        if action == "log in":
            return
        name = _PERMISSIONS[action]
        arn = f"arn:aws:ecr:{self.region}:{self.account}:repository/{repository}"
        _note(login, name, self.region, arn)
        if not self.allows(login, f"ecr:{name}", arn):
            who = f"User: {login.caller} is not authorized to perform: ecr:{name} on resource: {arn}"
            raise Refusal(403, "DENIED", f"{who} because no identity-based policy allows the ecr:{name} action")
        if call := current_call.get():
            call.needs = [Need(f"ecr:{name}", arn, {})]
        with self.lock:
            self._repository(repository)

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Return what a tag or digest names."""
        tag, digest = (None, reference) if DIGEST.fullmatch(reference) else (reference, None)
        with self.lock:
            try:
                image = self._repository(repository)._get_image(tag, digest)
            except ImageNotFoundException:
                raise Refusal(404, "MANIFEST_UNKNOWN", "Requested image not found") from None
            return manifest_of(image)

    def put_manifest(self, repository: str, tag: str | None, manifest: Manifest) -> None:
        """Store a manifest; to push what is there already under a tag that may move is no error."""
        with self.lock:
            try:
                self._backend.put_image(repository, manifest.content.decode(), tag, manifest.media_type)  # type: ignore[arg-type] # without a tag
            except ImageAlreadyExistsException:
                return
            except ServiceException as error:
                code = _CODES.get(error.code, "MANIFEST_INVALID")
                raise Refusal(400, code, error.message) from None

    def tags(self, repository: str) -> list[str]:
        """Return all tags."""
        with self.lock:
            return [tag for image in self._repository(repository).images for tag in image.image_tags]

    @property
    def _backend(self) -> models.ECRBackend:
        return models.ecr_backends[self.account][self.region]

    def _repository(self, name: str) -> models.Repository:
        try:
            return self._backend._get_repository(name)
        except RepositoryNotFoundException as error:
            raise Refusal(404, "NAME_UNKNOWN", error.message) from None

    def _login(self, request: Request) -> Login:
        given = request.authorization
        challenge = f'Basic realm="https://{request.host}/",service="ecr.amazonaws.com"'
        if given is None or given.type != "basic":
            raise Refusal(
                401, "UNAUTHORIZED", "authentication required: log in with get_authorization_token", challenge
            )
        login = self.logins.of(given.password or "") if given.username == "AWS" else None
        if login is None:
            message = "Your authorization token is not known or has expired. Reauthenticate and try again."
            raise Refusal(403, "DENIED", message)
        if login.account != self.account:
            raise Refusal(403, "DENIED", f"The token opens the registry {login.account}, not {self.account}")
        return login


class EcrRegistry:
    """The registries of all accounts and regions as one WSGI application; the host name says which one is meant.

    Args:
        folder: Where the blobs lie.
        lock: What moto is called under.
        allows: Decides what the holder of a token may do.
    """

    def __init__(self, folder: Path, lock: AbstractContextManager[Any], allows: Allows) -> None:
        self.logins = Logins()
        self._folder, self._lock, self._allows = folder, lock, allows

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        host = HOST.fullmatch(environ.get("HTTP_HOST", ""))
        if host is None:
            raise ValueError(f"{environ.get('HTTP_HOST')} is not the host of an ECR registry")
        account, region = host["account"], host["region"]
        server = RegistryServer(self._blobs(account, region), self._catalogue(account, region))
        return server(environ, start_response)

    def image(self, account: str, region: str, repository: str, reference: str) -> Image:
        """Return an image for someone inside of the sandbox, who needs no login and no network.

        Raises:
            Refusal: The repository or the image is not there.
        """
        manifest = self._catalogue(account, region).manifest(repository, reference)
        blobs = self._blobs(account, region)
        return Image.load(manifest, lambda digest, size: blobs.open(repository, digest, size))

    def _blobs(self, account: str, region: str) -> Blobs:
        return Blobs(self._folder / account / region)

    def _catalogue(self, account: str, region: str) -> EcrCatalogue:
        return EcrCatalogue(account, region, self.logins, self._allows, self._lock)


def manifest_of(image: models.Image) -> Manifest:
    """Return an image's manifest as it was stored."""
    return Manifest(image.image_manifest.encode(), image.image_manifest_media_type or "")


def _note(login: Login, name: str, region: str, arn: str) -> None:
    """Tell the ledger what is being called."""
    if call := current_call.get():
        call.caller, call.service, call.action, call.region, call.resource = login.caller, "ecr", name, region, arn
        call.mutating = name in _MUTATING
