"""IAM: service accounts, their keys, and the project's own roles."""

import base64
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from google.cloud.iam_admin_v1 import types
from google.protobuf import empty_pb2

from ragonotebooks.sandbox.gcp import federation
from ragonotebooks.sandbox.gcp.cloud import IAM, PROJECTS, Cloud
from ragonotebooks.sandbox.gcp.errors import already_exists, changed_meanwhile, invalid, not_found, unmet
from ragonotebooks.sandbox.gcp.fields import copy_of, merge, set_paths
from ragonotebooks.sandbox.gcp.generic import Made, paged
from ragonotebooks.sandbox.gcp.http_front import Request, Response
from ragonotebooks.sandbox.gcp.identity import OPERATOR
from ragonotebooks.sandbox.gcp.roles import PREDEFINED
from ragonotebooks.sandbox.gcp.service import Call, Service, rpc
from ragonotebooks.sandbox.gcp.store import Entry
from ragonotebooks.sandbox.ledger import Call as LedgerEntry

_ACCOUNT_ID: Final = re.compile(r"[a-z]([-a-z0-9]{4,28}[a-z0-9])")
_ROLE_ID: Final = re.compile(r"[a-zA-Z0-9_.]{3,64}")


class Iam(Service):
    """Service accounts, keys, roles."""

    host = IAM
    title = "Identity and Access Management (IAM) API"
    clients = ("google.cloud.iam_admin_v1:IAMClient",)
    discovery = ("iam", "v1")
    discovered: ClassVar = {
        "iam.projects.serviceAccounts.update": "UpdateServiceAccount",
        "iam.projects.roles.get": "GetRole",
        "iam.roles.get": "GetRole",
        "iam.projects.roles.list": "ListRoles",
        "iam.roles.list": "ListRoles",
        "iam.projects.serviceAccounts.getIamPolicy": "GetIamPolicy",
    }
    keeps = frozenset(("ServiceAccount",))
    permissions: ClassVar = {
        "ListServiceAccountKeys": "iam.serviceAccountKeys.list",
        "GetServiceAccountKey": "iam.serviceAccountKeys.get",
        "CreateServiceAccountKey": "iam.serviceAccountKeys.create",
        "DeleteServiceAccountKey": "iam.serviceAccountKeys.delete",
        "PatchServiceAccount": "iam.serviceAccounts.update",
        "GetRole": "",
        "ListRoles": "",
        "QueryGrantableRoles": "",
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._pools = federation.IdentityPools(cloud)

    def http(self, request: Request, entry: LedgerEntry) -> Response:
        """Answer a REST request; what is about workload identity pools has no gRPC client."""
        service = self._pools.http if "/workloadIdentityPools" in request.path else super().http
        return service(request, entry)

    @rpc("CreateServiceAccount")
    def _create(self, call: Call) -> Made:
        message, project = call.message, call.cloud.project
        if not _ACCOUNT_ID.fullmatch(message.account_id):
            raise invalid(
                f"The account id {message.account_id!r} must match {_ACCOUNT_ID.pattern}.",
                {"account_id": _ACCOUNT_ID.pattern},
            )
        email = f"{message.account_id}@{project.id}.iam.gserviceaccount.com"
        name = f"{project.name}/serviceAccounts/{email}"
        if call.cloud.store.find(self.host, name):
            raise already_exists(f"Service account {message.account_id} within project {project.name}")
        return self._keep(email, message.service_account), None

    def _keep(self, email: str, wanted: Any) -> Any:
        project = self.cloud.project
        account = copy_of(wanted)
        account.name, account.email, account.project_id = f"{project.name}/serviceAccounts/{email}", email, project.id
        account.unique_id = account.oauth2_client_id = f"1{secrets.randbelow(10**20):020d}"
        account.etag = secrets.token_bytes(8)
        self.cloud.store.put(self.host, account.name, account)
        return copy_of(account)

    @rpc("GetServiceAccount")
    def _get(self, call: Call) -> Made:
        return copy_of(self.account(call.path)), None

    @rpc("PatchServiceAccount")
    def _patch(self, call: Call) -> Made:
        change = call.message.service_account
        return self._changed(change.name, change, list(call.message.update_mask.paths)), None

    @rpc("UpdateServiceAccount")
    def _update(self, call: Call) -> Made:
        return self._changed(call.message.name, call.message, ["display_name", "description"]), None

    def _changed(self, name: str, change: Any, paths: list[str]) -> Any:
        account = self.account(name)
        if change.etag and change.etag != account.etag:
            raise changed_meanwhile(account.name)
        if wrong := set(paths) - {"display_name", "description"}:
            raise invalid(f"The fields {', '.join(sorted(wrong))} of a service account cannot be changed.")
        merge(account, change, paths or [path for path in set_paths(change) if path in ("display_name", "description")])
        account.etag = secrets.token_bytes(8)
        return copy_of(account)

    @rpc("DeleteServiceAccount")
    def _delete(self, call: Call) -> Made:
        account = self.account(call.path)
        for key in call.cloud.keys.of(account.email):
            call.cloud.keys.take(key.id)
        call.cloud.store.delete(self.host, account.name)
        call.cloud.policies.forget(self.host, account.name)
        return empty_pb2.Empty(), None

    @rpc("EnableServiceAccount")
    def _enable(self, call: Call) -> Made:
        self.account(call.path).disabled = False
        return empty_pb2.Empty(), None

    @rpc("DisableServiceAccount")
    def _disable(self, call: Call) -> Made:
        self.account(call.path).disabled = True
        return empty_pb2.Empty(), None

    def account(self, name: str) -> Any:
        """Return a service account by its name, which may hold its unique id, and `-` for the project."""
        wanted = name.partition("/serviceAccounts/")[2].partition("/")[0]
        for entry in self.cloud.store.children(self.host, f"{self.cloud.project.name}/serviceAccounts"):
            if wanted in (entry.resource.email, entry.resource.unique_id):
                return entry.resource
        raise not_found(f"Unknown service account: {name}")

    @rpc("CreateServiceAccountKey")
    def _create_key(self, call: Call) -> Made:
        account = self.account(call.path)
        key = call.cloud.keys.give(account.email)
        text = {
            "type": "service_account",
            "project_id": call.cloud.project.id,
            "private_key_id": key.id,
            "private_key": key.pem(),
            "client_email": account.email,
            "client_id": account.unique_id,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "universe_domain": "googleapis.com",
        }
        shown = self._shown_key(account, key)
        shown.private_key_data = json.dumps(text, indent=2).encode()
        shown.private_key_type = types.ServiceAccountPrivateKeyType.TYPE_GOOGLE_CREDENTIALS_FILE
        return shown, None

    @rpc("ListServiceAccountKeys")
    def _list_keys(self, call: Call) -> Made:
        account = self.account(call.path)
        keys = [self._shown_key(account, key) for key in call.cloud.keys.of(account.email)]
        wanted = set(call.message.key_types)
        return call.method.response(keys=[key for key in keys if not wanted or key.key_type in wanted]), None

    @rpc("GetServiceAccountKey")
    def _get_key(self, call: Call) -> Made:
        account, key = self._key(call)
        shown = self._shown_key(account, key)
        if call.message.public_key_type:
            shown.public_key_data = base64.b64encode(key.public_pem().encode())
        return shown, None

    @rpc("DeleteServiceAccountKey")
    def _delete_key(self, call: Call) -> Made:
        _, key = self._key(call)
        if not call.cloud.keys.is_given(key.id):
            raise unmet("A key that Google manages cannot be deleted.")
        call.cloud.keys.take(key.id)
        return empty_pb2.Empty(), None

    def _key(self, call: Call) -> tuple[Any, Any]:
        account = self.account(call.message.name)
        wanted = call.message.name.rpartition("/")[2]
        for key in call.cloud.keys.of(account.email):
            if key.id == wanted:
                return account, key
        raise not_found(call.message.name)

    def _shown_key(self, account: Any, key: Any) -> Any:
        given = self.cloud.keys.is_given(key.id)
        shown = types.ServiceAccountKey(
            name=f"{account.name}/keys/{key.id}",
            key_algorithm=types.ServiceAccountKeyAlgorithm.KEY_ALG_RSA_2048,
            key_origin=types.ServiceAccountKeyOrigin.GOOGLE_PROVIDED,
            key_type="USER_MANAGED" if given else "SYSTEM_MANAGED",
            valid_after_time=key.made,
        )
        return types.ServiceAccountKey.pb(shown)

    @rpc("CreateRole")
    def _create_role(self, call: Call) -> Made:
        if not _ROLE_ID.fullmatch(call.message.role_id):
            raise invalid(
                f"The role id {call.message.role_id!r} must match {_ROLE_ID.pattern}.", {"role_id": _ROLE_ID.pattern}
            )
        name = f"{call.path.removesuffix('/roles')}/roles/{call.message.role_id}"
        if call.cloud.store.find(self.host, name):
            raise already_exists(f"A role named {call.message.role_id} in {call.cloud.project.name}")
        role = copy_of(call.message.role)
        role.name, role.etag = name, secrets.token_bytes(8)
        call.cloud.store.put(self.host, name, role)
        return copy_of(role), None

    def limit_operator(self, permissions: Iterable[str]) -> None:
        """Take the operator's ownership of the project, and give a role with these permissions instead."""
        project, member = self.cloud.project.name, f"user:{OPERATOR}"
        role = types.Role(name=f"{project}/roles/operator", included_permissions=permissions)
        self.cloud.store.put(self.host, role.name, types.Role.pb(role))
        policy = copy_of(self.cloud.policies.get(PROJECTS, project))
        for binding in policy.bindings:
            if member in binding.members:
                binding.members.remove(member)
        policy.bindings.add(role=role.name, members=[member])
        self.cloud.policies.set(PROJECTS, project, policy)

    @rpc("GetRole")
    def _get_role(self, call: Call) -> Made:
        return copy_of(self._role(call.message.name)), None

    @rpc("ListRoles")
    def _list_roles(self, call: Call) -> Made:
        parent = call.message.parent
        if parent:
            entries = list(call.cloud.store.children(self.host, f"{parent}/roles"))
            found = [
                (one, copy_of(one.resource)) for one in entries if call.message.show_deleted or not one.resource.deleted
            ]
        else:
            found = [(Entry(name, rank, None), self._role(name)) for rank, name in enumerate(PREDEFINED, 1)]
        page, token = paged(found, call.message)
        return call.method.response(roles=[role for _, role in page], next_page_token=token), None

    @rpc("UpdateRole")
    def _update_role(self, call: Call) -> Made:
        role, change = self._own_role(call.message.name), call.message.role
        if change.etag and change.etag != role.etag:
            raise changed_meanwhile(role.name)
        paths = list(call.message.update_mask.paths) or set_paths(change)
        merge(role, change, [path for path in paths if path not in ("name", "etag", "deleted")])
        role.etag = secrets.token_bytes(8)
        return copy_of(role), None

    @rpc("DeleteRole")
    def _delete_role(self, call: Call) -> Made:
        role = self._own_role(call.message.name)
        role.deleted = True
        return copy_of(role), None

    @rpc("UndeleteRole")
    def _undelete_role(self, call: Call) -> Made:
        role = self._own_role(call.message.name)
        role.deleted = False
        return copy_of(role), None

    def _own_role(self, name: str) -> Any:
        if name.startswith("roles/"):
            raise invalid(f"The predefined role {name} cannot be changed.")
        return self._role(name)

    def _role(self, name: str) -> Any:
        if name in PREDEFINED:
            return types.Role.pb(
                types.Role(name=name, title=name.removeprefix("roles/"), stage=types.Role.RoleLaunchStage.GA)
            )
        return self.cloud.store.get(self.host, name)
