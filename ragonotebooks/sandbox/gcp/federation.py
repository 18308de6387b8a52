"""Workload identity federation: pools, their providers, and who the bearer of a foreign token is.

A token is judged by the keys that its provider was given (`oidc.jwksJson`): the sandbox fetches none from an issuer.
Source: Google Cloud, "Workload Identity Federation", and IAM API reference, `workloadIdentityPools`, read 2026-11.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ragonotebooks.sandbox.gcp import conditions
from ragonotebooks.sandbox.gcp.cloud import IAM, Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, already_exists, invalid, unmet, unsupported
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.json_service import JsonService, page, refuse_unknown
from ragonotebooks.sandbox.gcp.jwks import claims_signed_by
from ragonotebooks.sandbox.gcp.service import Call, rpc

Json = dict[str, Any]

_ID: Final = re.compile(r"(?!gcp-)[a-z0-9-]{4,32}")
_CLAIM: Final = re.compile(r"assertion\.(\w+)")
_TARGET: Final = re.compile(r"google\.subject|attribute\.[a-z0-9_]{1,100}")
_POOLS, _PROVIDERS = (
    "iam.projects.locations.workloadIdentityPools",
    "iam.projects.locations.workloadIdentityPools.providers",
)
_OF_A_POOL: Final = frozenset(("name", "displayName", "description", "disabled"))
_OF_A_PROVIDER: Final = _OF_A_POOL | {"attributeMapping", "attributeCondition", "oidc"}
_OF_OIDC: Final = frozenset(("issuerUri", "allowedAudiences", "jwksJson"))
#: Issuers that sign for everybody who has an account there: without a condition, anybody would get in.
_SHARED: Final = ("https://token.actions.githubusercontent.com", "https://gitlab.com", "https://app.terraform.io")


class IdentityPools(JsonService):
    """The part of IAM's API that is about pools and providers."""

    host = IAM
    title = "Identity and Access Management (IAM) API"
    api = ("iam", "v1")
    numbered = True
    permissions: ClassVar = {
        **{
            f"{_PROVIDERS}.{verb}": f"iam.workloadIdentityPoolProviders.{verb}"
            for verb in ("create", "get", "list", "delete")
        },
        f"{_PROVIDERS}.patch": "iam.workloadIdentityPoolProviders.update",
        f"{_PROVIDERS}.undelete": "iam.workloadIdentityPoolProviders.undelete",
        f"{_POOLS}.operations.get": "iam.workloadIdentityPools.get",
        f"{_PROVIDERS}.operations.get": "iam.workloadIdentityPoolProviders.get",
    }

    @rpc(f"{_POOLS}.create")
    def _create_pool(self, call: Call) -> Json:
        if call.path.split("/")[3] != "global":
            raise invalid("Workload identity pools are in the location global.", {"parent": "global"})
        refuse_unknown("WorkloadIdentityPool", call.body, _OF_A_POOL)
        return self._keep(call, call.message.get("workloadIdentityPoolId", ""), dict(call.body))

    @rpc(f"{_PROVIDERS}.create")
    def _create_provider(self, call: Call) -> Json:
        self._active(call.path.rpartition("/providers")[0])
        provider = dict(call.body)
        _check_provider(provider)
        return self._keep(call, call.message.get("workloadIdentityPoolProviderId", ""), provider)

    def _keep(self, call: Call, which: str, resource: Json) -> Json:
        if not _ID.fullmatch(which):
            raise invalid(f"The id {which!r} must match {_ID.pattern}.", {"id": _ID.pattern})
        name = f"{call.path}/{which}"
        there = self.cloud.store.find(self.host, name)
        if there is not None:
            gone = "; it is deleted, and can be brought back with undelete" if there["state"] == "DELETED" else ""
            raise already_exists(f"{name}{gone}: it")
        kept = {**resource, "name": name, "state": "ACTIVE"}
        self.cloud.store.put(self.host, name, kept)
        return kept

    @rpc(f"{_POOLS}.get")
    @rpc(f"{_PROVIDERS}.get")
    def _get(self, call: Call) -> Json:
        found: Json = self.cloud.store.get(self.host, call.path)
        return found

    @rpc(f"{_POOLS}.list")
    @rpc(f"{_PROVIDERS}.list")
    def _list(self, call: Call) -> Json:
        found = [entry.resource for entry in self.cloud.store.children(self.host, call.path)]
        shown = [one for one in found if one["state"] == "ACTIVE" or call.message.get("showDeleted") == "true"]
        is_pool = call.path.endswith("/workloadIdentityPools")
        return page(call, shown, "workloadIdentityPools" if is_pool else "workloadIdentityPoolProviders")

    @rpc(f"{_POOLS}.patch")
    @rpc(f"{_PROVIDERS}.patch")
    def _patch(self, call: Call) -> Json:
        before = self._active(call.path)
        paths = [path for path in call.message.get("updateMask", "").split(",") if path]
        if not paths:
            raise invalid("The request lacks updateMask.", {"updateMask": "required"})
        after = dict(before)
        for path in paths:
            _change(after, call.body, path)
        if "attributeMapping" in before:
            _check_provider(after)
        else:
            refuse_unknown("WorkloadIdentityPool", call.body, _OF_A_POOL)
        self.cloud.store.put(self.host, call.path, after)
        return after

    @rpc(f"{_POOLS}.delete")
    @rpc(f"{_PROVIDERS}.delete")
    def _delete(self, call: Call) -> Json:
        """What is deleted can be brought back for thirty days, and its id is taken for as long."""
        self._active(call.path)["state"] = "DELETED"
        return {}

    @rpc(f"{_POOLS}.undelete")
    @rpc(f"{_PROVIDERS}.undelete")
    def _undelete(self, call: Call) -> Json:
        found: Json = self.cloud.store.get(self.host, call.path)
        if found["state"] != "DELETED":
            raise unmet(f"{call.path} is not deleted.")
        found["state"] = "ACTIVE"
        return found

    @rpc(f"{_POOLS}.operations.get")
    @rpc(f"{_PROVIDERS}.operations.get")
    def _operation(self, call: Call) -> Json:
        return self.operations.get(call.message["name"])

    def shape(self, call: Call, operation: Json, target: Json) -> None:
        """Name an operation after what it is about."""
        operation["name"] = f"{target.get('name', call.path)}/operations/{operation['name']}"
        del operation["startTime"]

    def _active(self, name: str) -> Json:
        found: Json = self.cloud.store.get(self.host, name)
        if found["state"] != "ACTIVE":
            raise unmet(f"{name} is deleted.")
        return found


def bearer_of(cloud: Cloud, audience: str, token: str) -> Caller:
    """Return who the bearer of a foreign token is.

    Args:
        cloud: The cloud.
        audience: The provider that shall judge it: `//iam.googleapis.com/projects/N/…/providers/P`.
        token: A JWT.

    Raises:
        ApiError: The provider does not let it in.
    """
    name = cloud.project.canonical(audience.partition(f"//{IAM}/")[2], numbered=True)
    provider, pool = (cloud.store.find(IAM, one) for one in (name, name.partition("/providers/")[0]))
    if not provider or not pool or any(one["state"] != "ACTIVE" or one.get("disabled") for one in (provider, pool)):
        raise _refused(
            'Invalid value for "audience". This value should be the full resource name of the Identity Provider.'
        )
    oidc = provider["oidc"]
    if "jwksJson" not in oidc:
        raise unsupported(f"fetching the keys of {oidc['issuerUri']}", "is not supported by the sandbox: set jwksJson")
    claims = claims_signed_by(oidc["jwksJson"], token)
    if claims is None:
        raise _refused("Unable to verify the ID Token signature.")
    if claims.get("iss") != oidc["issuerUri"]:
        raise _refused(f"The issuer in ID Token {claims.get('iss')} does not match the expected ones.")
    if claims.get("aud") not in (oidc.get("allowedAudiences") or [f"https:{audience}"]):
        raise _refused(f"The audience in ID Token [{claims.get('aud')}] does not match the expected audience.")
    if not _admits(provider, claims):
        raise ApiError(
            "PERMISSION_DENIED", "The given credential is rejected by the attribute condition.", "unauthorized_client"
        )
    return _caller(name.partition("/providers/")[0], provider["attributeMapping"], claims)


def _caller(pool: str, mapping: Mapping[str, str], claims: Json) -> Caller:
    values = {target: str(claims.get(source.partition(".")[2], "")) for target, source in mapping.items()}
    where = f"//{IAM}/{pool}"
    sets = {f"principalSet:{where}/{target}/{value}" for target, value in values.items() if target != "google.subject"}
    return Caller(
        f"{where}/subject/{values['google.subject']}", "principal", frozenset(sets | {f"principalSet:{where}/*"})
    )


def _admits(provider: Json, claims: Json) -> bool:
    expression = provider.get("attributeCondition", "")
    told = {name: value for name, value in claims.items() if value is not None}
    return not expression or conditions.holds_of(expression, lambda name: told.get(name.partition(".")[2], ""))


def _change(resource: Json, change: Json, path: str) -> None:
    """Let what a path of an update mask names be as a change has it; what the change has not goes."""
    first, _, rest = path.partition(".")
    if rest:
        resource[first] = dict(resource.get(first) or {})
        _change(resource[first], change.get(first) or {}, rest)
    elif first in change:
        resource[first] = change[first]
    else:
        resource.pop(first, None)


def _refused(problem: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", problem, "invalid_grant")


def _check_provider(provider: Json) -> None:
    refuse_unknown("WorkloadIdentityPoolProvider", provider, _OF_A_PROVIDER | {"state"})
    oidc = provider.get("oidc") or {}
    refuse_unknown("Oidc", oidc, _OF_OIDC)
    if not str(oidc.get("issuerUri", "")).startswith("https://"):
        raise invalid("The issuer of a provider is an https URL.", {"oidc.issuerUri": "required"})
    mapping = provider.get("attributeMapping") or {}
    if "google.subject" not in mapping:
        raise invalid(
            "The attribute mapping has no google.subject.", {"attributeMapping": "google.subject is required"}
        )
    for target, source in mapping.items():
        if not _TARGET.fullmatch(target):
            raise invalid(
                f"{target} is no attribute: write google.subject or attribute.NAME.", {"attributeMapping": target}
            )
        if not _CLAIM.fullmatch(source):
            raise unsupported(
                f"{source!r} in an attribute mapping", "is not supported by the sandbox, only assertion.CLAIM"
            )
    condition = provider.get("attributeCondition", "")
    if oidc["issuerUri"] in _SHARED and "assertion." not in condition:
        text = "The attribute condition must reference one of the provider's claims."
        raise invalid(text, {"attributeCondition": "required"})
    if condition:
        conditions.holds_of(condition, lambda name: "" if name.startswith("assertion.") else None, everything=True)
