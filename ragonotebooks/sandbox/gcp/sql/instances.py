"""What a Cloud SQL instance may be: checks of what is asked for, and what it leaves out."""

import re
from typing import Any, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute.names import REGIONS, path_of, referenced
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported

Json = dict[str, Any]

HOST: Final = "sqladmin.googleapis.com"

_NAME: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,96}[a-z0-9])?")
_FLAG: Final = re.compile(r"[a-z_][a-z0-9_]*")
# Source: Google Cloud, "Choose your Cloud SQL edition" and "Machine series", read 2026-11
_TIERS: Final = {
    "ENTERPRISE": re.compile(r"db-f1-micro|db-g1-small|db-custom-\d+-\d+|db-n1-\w+-\d+"),
    "ENTERPRISE_PLUS": re.compile(r"db-perf-optimized-N-\d+|db-c4a-\w+-\d+|db-memory-optimized-N-\d+"),
}
_SSL_MODES: Final = ("ALLOW_UNENCRYPTED_AND_ENCRYPTED", "ENCRYPTED_ONLY")
_POLICIES: Final = ("ALWAYS", "NEVER")
# what would need servers, keys or directories that the sandbox has none of
_REFUSED: Final = (
    "masterInstanceName",
    "replicaConfiguration",
    "diskEncryptionConfiguration",
    "onPremisesConfiguration",
)
_REFUSED_SETTINGS: Final = (
    *("activeDirectoryConfig", "sqlServerAuditConfig", "connectionPoolConfig", "dataApiAccess"),
    *("finalBackupConfig", "retainBackupsOnDelete"),
)
_REFUSED_IP: Final = ("pscConfig", "serverCaPool", "customSubjectAlternativeNames", "authorizedNetworks")


def complete(cloud: Cloud, instance: Json, major: str) -> None:
    """Check a new instance and fill in what it leaves out.

    Args:
        cloud: The cloud.
        instance: As it was asked for.
        major: The version of Postgres that is here: `18`.

    Raises:
        ApiError: It is wrong, or the sandbox has no such thing.
    """
    if not _NAME.fullmatch(instance["name"]):
        raise invalid(f"Invalid request: instance name ({instance['name']}).", {"name": "malformed"})
    _refuse(instance, _REFUSED, "instances")
    here = f"POSTGRES_{major}"
    if instance.setdefault("databaseVersion", here) != here:
        text = f"is not supported by the sandbox, which runs {here}"
        raise unsupported(f"{HOST} the database version {instance['databaseVersion']}", text)
    region = instance.setdefault("region", "us-central1")
    if region not in REGIONS:
        raise invalid(f"Invalid value for region: {region}.", {"region": "unknown"})
    settings = instance.setdefault("settings", {})
    defaults = {
        "kind": "sql#settings",
        "settingsVersion": "1",
        "activationPolicy": "ALWAYS",
        "availabilityType": "ZONAL",
        "edition": "ENTERPRISE_PLUS",
        "dataDiskType": "PD_SSD",
        "dataDiskSizeGb": "10",
        "storageAutoResize": True,
        "pricingPlan": "PER_USE",
        "deletionProtectionEnabled": False,
        "backupConfiguration": {"kind": "sql#backupConfiguration", "enabled": False},
        "locationPreference": {"kind": "sql#locationPreference", "zone": f"{region}-a"},
    }
    for key, value in defaults.items():
        settings.setdefault(key, value)
    check_settings(cloud, settings)


def check_settings(cloud: Cloud, settings: Json) -> None:
    """Check an instance's settings, and fill in how it is reached."""
    _refuse(settings, _REFUSED_SETTINGS, "settings")
    edition, tier = settings["edition"], settings.get("tier", "")
    if edition not in _TIERS or not _TIERS[edition].fullmatch(tier):
        raise invalid(f"Invalid request: Invalid Tier ({tier}) for ({edition}) Edition.", {"settings.tier": "invalid"})
    if settings["activationPolicy"] not in _POLICIES:
        raise invalid(
            "Invalid request: the activation policy is ALWAYS or NEVER.", {"settings.activationPolicy": "invalid"}
        )
    _check_flags(settings)
    _check_ip(cloud, settings.setdefault("ipConfiguration", {}))


def flags_of(instance: Json) -> dict[str, str]:
    """The database flags that an instance has."""
    return {flag["name"]: str(flag.get("value", "")) for flag in instance["settings"].get("databaseFlags", ())}


def _check_flags(settings: Json) -> None:
    for flag in settings.get("databaseFlags", ()):
        if not _FLAG.fullmatch(flag.get("name", "")):
            raise unsupported(f"{HOST} the database flag {flag.get('name')!r}")


def _check_ip(cloud: Cloud, ip: Json) -> None:
    _refuse(ip, _REFUSED_IP, "an ipConfiguration")
    if ip.setdefault("ipv4Enabled", True):
        why = "is not supported by the sandbox: set ipv4Enabled to false and name a privateNetwork"
        raise unsupported(f"{HOST} instances with a public IPv4 address", why)
    if not ip.get("privateNetwork"):
        raise invalid("Invalid request: At least one of Public IP or Private IP connectivity must be enabled.")
    network = referenced(cloud, "settings.ipConfiguration.privateNetwork", ip["privateNetwork"], "networks")
    ip["privateNetwork"] = path_of(cloud, network["selfLink"])
    if ip.pop("requireSsl", False):
        ip.setdefault("sslMode", "ENCRYPTED_ONLY")
    if ip.setdefault("sslMode", _SSL_MODES[0]) not in _SSL_MODES:
        raise unsupported(f"{HOST} the sslMode {ip['sslMode']}")
    ip["requireSsl"] = ip["sslMode"] == "ENCRYPTED_ONLY"
    if ip.setdefault("serverCaMode", "GOOGLE_MANAGED_INTERNAL_CA") != "GOOGLE_MANAGED_INTERNAL_CA":
        raise unsupported(f"{HOST} the serverCaMode {ip['serverCaMode']}")


def _refuse(given: Json, fields: tuple[str, ...], what: str) -> None:
    for field in fields:
        if given.get(field):
            raise unsupported(f"{HOST} {what} with {field}")


def busy(name: str) -> ApiError:
    """The refusal of what would come in the way of an operation that is not done."""
    text = (
        f"Operation failed because another operation was already in progress on the instance {name}. Try again later."
    )
    return ApiError("ABORTED", text, "operationInProgress", status_code=409)


def described(cloud: Cloud, name: str, instance: Json, version: str, created: str) -> Json:
    """What the API tells of a new instance besides what was asked for."""
    region = instance["region"]
    return {
        "kind": "sql#instance",
        "name": name,
        "project": cloud.project.id,
        "backendType": "SECOND_GEN",
        "instanceType": "CLOUD_SQL_INSTANCE",
        "gceZone": instance["settings"]["locationPreference"].get("zone", f"{region}-a"),
        "databaseInstalledVersion": f"POSTGRES_{version.replace('.', '_')}",
        "connectionName": f"{cloud.project.id}:{region}:{name}",
        "selfLink": f"https://{HOST}/v1/{cloud.project.name}/instances/{name}",
        "serviceAccountEmailAddress": f"p{cloud.project.number}-sandbox@gcp-sa-cloud-sql.iam.gserviceaccount.com",
        "sqlNetworkArchitecture": "NEW_NETWORK_ARCHITECTURE",
        "createTime": created,
        "state": "PENDING_CREATE",
        "ipAddresses": [],
    }
