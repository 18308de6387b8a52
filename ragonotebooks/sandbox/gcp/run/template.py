"""What an instance is to be: the parts that templates of jobs, services and worker pools share, checked and completed.

Limits of CPU and memory are checked for their form and hold nobody back. One container an instance: sidecars are refused.
Source: Cloud Run Admin API v2 reference and "Memory limits", read 2026-11.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from google.cloud.run_v2 import types

from ragonotebooks.sandbox.gcp import fields
from ragonotebooks.sandbox.gcp.access import require_account
from ragonotebooks.sandbox.gcp.artifact_names import DOWNLOAD
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import names
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.identity import caller_of
from ragonotebooks.sandbox.gcp.service import Call

ARTIFACTS: Final = "artifactregistry.googleapis.com"
SECRETS: Final = "secretmanager.googleapis.com"

_NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
_CPU: Final = re.compile(r"\d+m|\d+(\.\d+)?")
_MEMORY: Final = re.compile(r"\d+(k|M|G|Ki|Mi|Gi)")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_RESERVED: Final = frozenset(("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"))
_DEFAULTS: Final = {"cpu": "1000m", "memory": "512Mi"}
_UNSUPPORTED: Final = (
    "encryption_key",
    "node_selector",
    "gpu_zonal_redundancy_disabled",
    "service_mesh",
    "session_affinity",
    "health_check_disabled",
    "encryption_key_revocation_action",
    "encryption_key_shutdown_duration",
)
_UNSUPPORTED_IN_CONTAINER: Final = (
    "source_code",
    "build_info",
    "base_image_uri",
    "depends_on",
    "readiness_probe",
)


def check_name(name: str) -> None:
    """Refuse a name that no resource of Cloud Run can have, and a region that does not exist."""
    names.check_region(name.split("/")[3])
    short = name.rpartition("/")[2]
    if not _NAME.fullmatch(short):
        raise invalid(f"The name {short!r} must begin with a letter and have up to 49 of [a-z0-9-].", {"name": short})


def complete(call: Call, template: Any) -> str:
    """Check the parts that all templates share, fill in defaults, and return the digest of the image as it is now.

    Raises:
        ApiError: The template is wrong, the sandbox lacks what it asks for, or the caller may not use it.
    """
    refuse(template, _UNSUPPORTED)
    if not template.containers:
        raise invalid("The template has no container.", {"template.containers": "required"})
    if len(template.containers) > 1:
        raise unsupported(f"a template with {len(template.containers)} containers", "is not supported: give it one")
    container = template.containers[0]
    _complete_container(container)
    _check_volumes(template, container)
    _check_account(call, template)
    if template.HasField("vpc_access"):
        _check_network(call, template.vpc_access)
    return _digest(call, container.image)


def refuse(message: Any, names_of_fields: tuple[str, ...]) -> None:
    """Refuse fields that a message has, and sets to more than nothing."""
    fields.refuse(message, (name for name in names_of_fields if getattr(message, name, None)))


def secret_version(project: str, secret: str, version: str) -> str:
    """The name in full of a secret's version, as a template gives it: with or without the project."""
    name = secret if secret.startswith("projects/") else f"projects/{project}/secrets/{secret}"
    return f"{name}/versions/{version or 'latest'}"


def secret_problem(cloud: Cloud, template: Any) -> str | None:
    """Say which secret of a template its service account cannot read, None when it can read all of them."""
    email, project = template.service_account, cloud.project
    for version in _secrets_of(template, project.id):
        secret = project.canonical(version.partition("/versions/")[0], numbered=False)
        if cloud.store.find(SECRETS, project.canonical(secret, numbered=True)) is None:
            return f"Secret {version} was not found."
        if not cloud.policies.allows(caller_of(email), "secretmanager.versions.access", SECRETS, secret):
            return secret_denied(version, email)
    return None


def secret_denied(version: str, email: str) -> str:
    """What is told of a secret that a service account may not read."""
    return (
        f"Permission denied on secret: {version} for Revision service account {email}. The service account used must be "
        "granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor) at the secret, project or "
        "higher level."
    )


def _secrets_of(template: Any, project: str) -> Iterator[str]:
    """Yield the secret versions that a template names."""
    for variable in template.containers[0].env:
        if variable.value_source.secret_key_ref.secret:
            chosen = variable.value_source.secret_key_ref
            yield secret_version(project, chosen.secret, chosen.version)
    for volume in template.volumes:
        if volume.HasField("secret"):
            for version in [item.version for item in volume.secret.items] or [""]:
                yield secret_version(project, volume.secret.secret, version)


def _complete_container(container: Any) -> None:
    refuse(container, _UNSUPPORTED_IN_CONTAINER)
    if not container.image:
        raise invalid("The container has no image.", {"template.containers.image": "required"})
    limits = container.resources.limits
    for name, value in _DEFAULTS.items():
        if not limits.get(name):
            limits[name] = value
    for name, value in limits.items():
        form = {"cpu": _CPU, "memory": _MEMORY}.get(name)
        if form is None:
            raise unsupported(f"the resource limit {name}")
        if not form.fullmatch(value):
            raise invalid(
                f"Invalid value specified for container {name}: {value}.", {f"resources.limits.{name}": value}
            )
    for variable in container.env:
        if not _VARIABLE.fullmatch(variable.name) or variable.name in _RESERVED:
            why = "The following reserved env names were provided" if variable.name in _RESERVED else "Invalid env name"
            raise invalid(f"{why}: {variable.name}.", {"template.containers.env": variable.name})


def _check_volumes(template: Any, container: Any) -> None:
    there = {}
    for volume in template.volumes:
        kind = volume.WhichOneof("volume_type")
        if kind not in ("secret", "empty_dir"):
            raise unsupported(
                f"a volume of the kind {kind}", "is not supported by the sandbox, only secret and empty_dir"
            )
        there[volume.name] = volume
    for mount in container.volume_mounts:
        if mount.name not in there:
            raise invalid(f"The volume mount {mount.name} names no volume.", {"volume_mounts": mount.name})
        if not mount.mount_path.startswith("/") or mount.sub_path:
            raise invalid(f"The mount path {mount.mount_path!r} must be absolute, without sub_path.")


def _check_account(call: Call, template: Any) -> None:
    email = template.service_account
    if not email:
        hint = "The sandbox has no default service account: give the template one."
        raise invalid(f"The template has no service account. {hint}", {"template.service_account": "required"})
    name = f"{call.cloud.project.name}/serviceAccounts/{email}"
    text = f"Permission 'iam.serviceaccounts.actAs' denied on service account {email} (or it may not exist)."
    require_account(call, name, email, text)


def _check_network(call: Call, access: Any) -> None:
    if access.connector:
        raise unsupported("a Serverless VPC Access connector", "is not supported by the sandbox: use Direct VPC egress")
    if len(access.network_interfaces) != 1:
        raise invalid("vpc_access needs one network interface.", {"template.vpc_access.network_interfaces": "one"})
    interface = access.network_interfaces[0]
    if not interface.subnetwork:
        raise unsupported(
            "a network interface without a subnetwork", "is not supported by the sandbox: name the subnetwork"
        )
    access.egress = access.egress or types.VpcAccess.VpcEgress.PRIVATE_RANGES_ONLY
    interface.subnetwork = subnetwork_of(call, interface.subnetwork)
    names.referenced(call.cloud, "subnetwork", interface.subnetwork, "subnetworks")


def subnetwork_of(call: Call, name: str) -> str:
    """A subnet as Compute refers to it: its name alone means one of the region that is called."""
    region = call.path.split("/")[3]
    project = call.cloud.project.id
    return name if "/" in name else f"projects/{project}/regions/{region}/subnetworks/{name}"


def _digest(call: Call, image: str) -> str:
    registry: Any = call.cloud.service(ARTIFACTS)
    repository, digest = registry.resolve(image)
    if not call.cloud.policies.allows(call.caller, DOWNLOAD, ARTIFACTS, repository):
        text = (
            f"User '{call.email}' does not have permission to access the image {image}: "
            f"Permission '{DOWNLOAD}' denied on resource '//{ARTIFACTS}/{repository}' (or it may not exist)."
        )
        raise ApiError("PERMISSION_DENIED", text)
    return str(digest)
