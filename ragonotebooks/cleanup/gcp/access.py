"""IAM: who may do what. A service account's description says whose it is; a binding is the deployment's by its member."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ragonotebooks.cleanup.gcp.listing import description, listed
from ragonotebooks.cleanup.gcp.rest import Api, Json
from ragonotebooks.cleanup.kind import Found, Kind, belonging
from ragonotebooks.cleanup.ownership import Tags, deployment_of, plain, told

_CONDITIONS: Final = 3  # the version of policies from which on they tell their conditions


def _description(account: Json) -> Tags:
    return told(account["email"], account.get("description", ""))


def _find_bindings(iam: Api) -> Iterator[Found]:
    accounts = iam.each("v1/{project}/serviceAccounts", "accounts")
    ours = {f"serviceAccount:{one['email']}": plain(_description(one)) for one in accounts}
    if not any(map(deployment_of, ours.values())):
        return
    for binding in _policy(iam).get("bindings", []):
        for member in binding["members"]:
            yield from belonging(ours.get(member), f"{binding['role']} of {member}", regional=False)


def _delete_binding(iam: Api, which: str) -> None:
    role, _, member = which.partition(" of ")
    policy = _policy(iam)
    for binding in policy["bindings"]:
        if binding["role"] == role:
            binding["members"] = [one for one in binding["members"] if one != member]
    policy["bindings"] = [binding for binding in policy["bindings"] if binding["members"]]
    # its etag is in it: what somebody else has changed meanwhile is not overwritten
    _projects(iam).call("POST", "v3/{project}:setIamPolicy", {"policy": policy})


def _policy(iam: Api) -> Json:
    body = {"options": {"requestedPolicyVersion": _CONDITIONS}}
    return _projects(iam).call("POST", "v3/{project}:getIamPolicy", body)


def _projects(iam: Api) -> Api:
    return replace(iam, service="cloudresourcemanager")


#: What the deployment's service accounts may do on the project; policies on anything else go with what they are on.
BINDINGS: Final = Kind("iam", "project binding", _find_bindings, _delete_binding)
ACCOUNTS: Final = listed("iam", "service account", "v1/{project}/serviceAccounts", _description, items="accounts")
ROLES: Final = listed("iam", "role", "v1/{project}/roles", description)
POOLS: Final = listed("iam", "identity pool", "v1/{project}/locations/global/workloadIdentityPools", description)
