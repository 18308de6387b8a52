"""What every service answers alike: its long-running operations and the IAM policies of its resources."""

from collections.abc import Callable
from typing import Any

from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from ragonotebooks.sandbox.gcp.access import may
from ragonotebooks.sandbox.gcp.apis import Rpc
from ragonotebooks.sandbox.gcp.cloud import PROJECTS
from ragonotebooks.sandbox.gcp.errors import unsupported
from ragonotebooks.sandbox.gcp.fields import copy_of, replace
from ragonotebooks.sandbox.gcp.service import Call

# what a policy that is set replaces when the request does not say; google.iam.v1.SetIamPolicyRequest
_MASK = {"bindings", "etag"}
_AUDIT = {"audit_configs", "auditConfigs"}


def handler(path: str) -> Callable[[Call], Any] | None:
    """Return what answers an RPC that many services have, None when it is not one; `path` is `/package.Service/Name`."""
    service, _, name = path.rpartition("/")
    if service == "/google.longrunning.Operations":
        return _OPERATIONS.get(name)
    return _POLICIES.get(name)


def _get_operation(call: Call) -> operations_pb2.Operation:
    return call.cloud.operations.get(call.message.name)


def _wait_operation(call: Call) -> operations_pb2.Operation:
    return call.cloud.operations.get(call.message.name)


def _list_operations(call: Call) -> operations_pb2.ListOperationsResponse:
    parent = call.message.name.removesuffix("/operations")
    return operations_pb2.ListOperationsResponse(operations=call.cloud.operations.below(call.service.host, parent))


def _delete_operation(call: Call) -> empty_pb2.Empty:
    call.cloud.operations.delete(call.message.name)
    return empty_pb2.Empty()


def _get_policy(call: Call) -> policy_pb2.Policy:
    _exists(call)
    return call.cloud.policies.get(call.service.host, _key(call))


def _set_policy(call: Call) -> policy_pb2.Policy:
    _exists(call)
    host, key, mask = call.service.host, _key(call), set(call.message.update_mask.paths) or _MASK
    # only projects have settings of audit logs
    if mask - _MASK - {"version"} - (_AUDIT if host == PROJECTS else set()):
        raise unsupported(f"{host} SetIamPolicy with the update mask {sorted(mask)}")
    policy, before = copy_of(call.message.policy), call.cloud.policies.get(host, key)
    if "bindings" not in mask:
        replace(policy, before, policy.DESCRIPTOR.fields_by_name["bindings"])
    if not mask & _AUDIT:
        replace(policy, before, policy.DESCRIPTOR.fields_by_name["audit_configs"])
    return call.cloud.policies.set(host, key, policy)


def _test_permissions(call: Call) -> iam_policy_pb2.TestIamPermissionsResponse:
    held = [one for one in call.message.permissions if may(call, one, call.path)]
    return iam_policy_pb2.TestIamPermissionsResponse(permissions=held)


def _exists(call: Call) -> None:
    if call.service.host != PROJECTS:
        call.cloud.store.get(call.service.host, call.path)


def _key(call: Call) -> str:
    return call.cloud.project.canonical(call.path, numbered=False)


_PATH = "/google.longrunning.Operations/"
#: The RPCs on operations, which are the same for all services.
OPERATIONS = {
    rpc.path: rpc
    for rpc in (
        Rpc("GetOperation", f"{_PATH}GetOperation", operations_pb2.GetOperationRequest, operations_pb2.Operation),
        Rpc("WaitOperation", f"{_PATH}WaitOperation", operations_pb2.WaitOperationRequest, operations_pb2.Operation),
        Rpc("DeleteOperation", f"{_PATH}DeleteOperation", operations_pb2.DeleteOperationRequest, empty_pb2.Empty),
    )
}
_OPERATIONS: dict[str, Callable[[Call], Any]] = {
    "GetOperation": _get_operation,
    "WaitOperation": _wait_operation,
    "ListOperations": _list_operations,
    "DeleteOperation": _delete_operation,
}
_POLICIES: dict[str, Callable[[Call], Any]] = {
    "GetIamPolicy": _get_policy,
    "SetIamPolicy": _set_policy,
    "TestIamPermissions": _test_permissions,
}
