"""Long-running operations (AIP-151): started, waited for, failed or done."""

import uuid

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.gcp.errors import ApiError, not_found, problem_of
from ragonotebooks.sandbox.gcp.fields import copy_of, find_field, has_field
from ragonotebooks.sandbox.gcp.service import Call, Work

#: How long a poll waits for an operation that is not done, in seconds: less than clients wait for an answer.
_PATIENCE = 20.0


class Operations:
    """The operations of one sandbox, by name. Whoever calls holds the control plane's lock."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._all: dict[str, operations_pb2.Operation] = {}
        self._hosts: dict[str, str] = {}

    def start(self, call: Call, resource: Message | None, work: Work | None, parent: str) -> operations_pb2.Operation:
        """Return the operation of a long-running call; it is done when `work` is, at once without any.

        Args:
            call: The call that asked for it.
            resource: What it makes, changes or deletes; the operation ends with it as it is then.
            work: What goes on behind it.
            parent: Where the operation is: `projects/p/locations/l`; empty for nowhere.
        """
        operation = operations_pb2.Operation(name=f"{parent}/operations/{uuid.uuid4()}".lstrip("/"))
        operation.metadata.Pack(_metadata(call, resource))
        self._all[operation.name] = operation
        self._hosts[operation.name] = call.service.host
        if work is None:
            self._finish(operation, call, resource, None)
        else:
            self._context.workers.submit(self._run, operation, call, resource, work)
        return copy_of(operation)

    def host(self, name: str) -> str:
        """The service whose operation this is.

        Raises:
            ApiError: There is none.
        """
        if name not in self._hosts:
            raise not_found(name)
        return self._hosts[name]

    def get(self, name: str) -> operations_pb2.Operation:
        """Return an operation; one that is not done is waited for a little.

        Raises:
            ApiError: There is none.
        """
        operation = self._all.get(name)
        if operation is None:
            raise not_found(name)
        if not operation.done:
            self._context.wait_until(lambda: bool(operation.done), _PATIENCE)
        return copy_of(operation)

    def below(self, host: str, parent: str) -> list[operations_pb2.Operation]:
        """The operations of a service in a place, the latest first."""
        names = [
            name for name, owner in self._hosts.items() if owner == host and name.startswith(f"{parent}/operations/")
        ]
        return [copy_of(self._all[name]) for name in reversed(names)]

    def delete(self, name: str) -> None:
        """Forget an operation."""
        self.host(name)
        del self._all[name], self._hosts[name]

    def _run(self, operation: operations_pb2.Operation, call: Call, resource: Message | None, work: Work) -> None:
        problem = problem_of(work, call.method.name)
        with self._context.lock:
            self._finish(operation, call, resource, problem)
            self._context.changed.notify_all()

    def _finish(
        self, operation: operations_pb2.Operation, call: Call, resource: Message | None, problem: ApiError | None
    ) -> None:
        operation.metadata.Pack(_metadata(call, resource, operation))
        if problem is not None:
            operation.error.CopyFrom(problem.status())
        else:
            operation.response.Pack(_result(call, resource))
        operation.done = True


def _result(call: Call, resource: Message | None) -> Message:
    """What an operation ends with: the resource as it is by now, or what its type has for a resource that is gone."""
    wanted = call.method.result or empty_pb2.Empty
    if not isinstance(resource, wanted):
        empty: Message = wanted()
        return empty
    return call.cloud.store.find(call.service.host, getattr(resource, "name", "")) or resource


def _metadata(call: Call, resource: Message | None, ended: operations_pb2.Operation | None = None) -> Message:
    """What an operation tells of itself: the resource as it is (Cloud Run), or times, target and verb."""
    kind = call.method.metadata or empty_pb2.Empty
    now = call.cloud.store.find(call.service.host, getattr(resource, "name", "")) or resource
    if isinstance(resource, kind):
        return now
    metadata = kind()
    for field in kind.DESCRIPTOR.fields:  # Cloud Build's holds the resource
        if resource is not None and field.message_type is resource.DESCRIPTOR:
            getattr(metadata, field.name).CopyFrom(now)
            return metadata
    if ended is not None:
        ended.metadata.Unpack(metadata)
        return _stamped(metadata, "end_time")
    values = {
        "target": getattr(resource, "name", call.path),
        "verb": call.method.name[0].lower() + call.method.name[1:],
        "api_version": call.method.path.split("/")[1].split(".")[-2],
    }
    for name, value in values.items():
        field = find_field(metadata.DESCRIPTOR, name)
        if field is not None and field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(metadata, field.name, value)
    return _stamped(_stamped(metadata, "create_time"), "start_time")


def _stamped(metadata: Message, name: str) -> Message:
    if has_field(metadata, name):
        getattr(metadata, name).GetCurrentTime()
    return metadata
