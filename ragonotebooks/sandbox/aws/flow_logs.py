"""VPC flow logs: the connections that security groups judge, as lines in CloudWatch Logs.

Known of a connection are its ends and the verdict. Bytes and packets are not counted, and a database has no network interface:
these fields are `-`, as AWS writes what it could not compute. Buckets and streams as destinations are refused by name.
Source: Amazon VPC user guide, "Flow log records" and "Publish flow logs to CloudWatch Logs", read 2026-11.
"""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends

from ragonotebooks.sandbox.aws import identity
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.patterns import Context as Keys
from ragonotebooks.sandbox.aws.policy import decide, evaluate
from ragonotebooks.sandbox.context import Connection, Context, Place

_SECONDS_BETWEEN: Final = 1.0
_SERVICE: Final = "vpc-flow-logs.amazonaws.com"
_TCP: Final = 6
_FIELD: Final = re.compile(r"\$\{([a-z-]+)\}")
_UNKNOWN: Final = "-"


@dataclass(frozen=True)
class Flow:
    """A connection as one network interface saw it.

    Attributes:
        connection: Between whom.
        end: Where it was seen.
        interface: The interface's id; `-` when it has none.
        accepted: What the interface's security groups said.
        second: When, in seconds since 1970.
    """

    connection: Connection
    end: Place
    interface: str
    accepted: bool
    second: int

    @property
    def action(self) -> str:
        return "ACCEPT" if self.accepted else "REJECT"

    def fields(self, account: str) -> dict[str, str]:
        """The fields of a record by their names; those that are not here are not known."""
        one = self.connection
        values = {
            "version": 2,
            "account-id": account,
            "interface-id": self.interface,
            "srcaddr": one.source.address,
            "dstaddr": one.target.address,
            "srcport": one.source_port,
            "dstport": one.port,
            "protocol": _TCP,
            "packets": _UNKNOWN,
            "bytes": _UNKNOWN,
            "start": self.second,
            "end": self.second,
            "action": self.action,
            "log-status": "OK",
            "vpc-id": self.end.vpc or _UNKNOWN,
            "subnet-id": self.end.subnet or _UNKNOWN,
            "flow-direction": "ingress" if self.end is one.target else "egress",
        }
        return {name: str(value) for name, value in values.items()}


_KNOWN: Final = frozenset(Flow(Connection(Place(""), 0, Place(""), 0, True, True), Place(""), "", True, 0).fields(""))


class FlowLogs:
    """The controller.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: list[tuple[Connection, int]] = []
        self._lock = threading.Lock()

    def take(self, connection: Connection) -> None:
        """Remember a connection until the next delivery."""
        with self._lock:
            self._seen.append((connection, int(time.time())))

    def deliver(self) -> None:
        """Write what is new to the flow logs that want it. The caller holds the context's lock."""
        with self._lock:
            seen, self._seen = self._seen, []
        if not seen:
            return
        account = self._context.state.account
        backends: list[Any] = list(ec2_backends.iter_backends())
        for _, region, backend in backends:
            logs = list(backend.flow_logs.values())
            flows = [flow for one in seen for flow in _flows(backend, *one)] if logs else []
            for log in logs:
                _deliver(log, account, region, [flow for flow in flows if _wants(log, flow)])

    def run(self) -> None:
        """Deliver, for ever."""
        while True:
            time.sleep(_SECONDS_BETWEEN)
            with self._context.lock:
                self.deliver()


def of(context: Context) -> FlowLogs:
    """Return the sandbox's flow logs; from the first call on connections are remembered."""
    return context.part(FlowLogs, lambda: _install(context))


def check(asked: dict[str, Any]) -> None:
    """Raise an ApiError for a flow log that the sandbox could not deliver.

    Args:
        asked: Arguments of moto's `create_flow_logs`.
    """
    if asked.get("log_destination_type") not in (None, "cloud-watch-logs") or asked.get("log_destination"):
        message = "flow logs are delivered to LogGroupName alone; other destinations are not supported by the sandbox"
        raise ApiError("NotImplemented", message)
    if asked.get("resource_type") not in ("VPC", "Subnet", "NetworkInterface"):
        raise ApiError("NotImplemented", f"flow logs of {asked.get('resource_type')} are not supported by the sandbox")
    unknown = set(_FIELD.findall(asked.get("log_format") or "")) - _KNOWN
    if unknown:
        raise ApiError("NotImplemented", f"the fields {sorted(unknown)} of flow logs are not supported by the sandbox")


def _install(context: Context) -> FlowLogs:
    logs = FlowLogs(context)
    context.connections.append(logs.take)
    threading.Thread(target=logs.run, name="flow logs", daemon=True).start()
    return logs


def _flows(backend: Any, connection: Connection, second: int) -> Iterator[Flow]:
    """What the interfaces at both ends saw; what is not let out is not seen at the other end."""
    source, target = connection.source, connection.target
    if source.vpc in backend.vpcs:
        yield Flow(connection, source, _interface(backend, source), connection.let_out, second)
    if target.vpc in backend.vpcs and connection.let_out:
        yield Flow(connection, target, _interface(backend, target), connection.let_in, second)


def _interface(backend: Any, place: Place) -> str:
    for interface in backend.enis.values():
        if (interface.private_ip_address, interface.subnet.vpc_id) == (place.address, place.vpc):
            return str(interface.id)
    return _UNKNOWN


def _wants(log: Any, flow: Flow) -> bool:
    kind = log.traffic_type
    return log.resource_id in (flow.end.vpc, flow.end.subnet, flow.interface) and kind in ("ALL", flow.action)


def _deliver(log: Any, account: str, region: str, flows: list[Flow]) -> None:
    if not flows:
        return
    group = logs_backends[account][region].groups.get(log.log_group_name)
    if group is None or not _may_write(log.deliver_logs_permission_arn, group.arn):
        log.deliver_logs_status, log.deliver_logs_error_message = "FAILED", "Access error"
        return
    log.deliver_logs_status, log.deliver_logs_error_message = "SUCCESS", None
    streams: dict[str, list[Flow]] = defaultdict(list)
    for flow in flows:
        streams[f"{flow.end.vpc if flow.interface == _UNKNOWN else flow.interface}-all"].append(flow)
    for name, found in streams.items():
        if name not in group.streams:
            group.create_log_stream(name)
        events = [{"timestamp": flow.second * 1000, "message": _line(log, account, flow)} for flow in found]
        group.put_log_events(name, events)


def _line(log: Any, account: str, flow: Flow) -> str:
    fields = flow.fields(account)
    return _FIELD.sub(lambda slot: fields[slot[1]], log.log_format)


def _may_write(arn: str, group: str) -> bool:
    """Whether flow logs may become a role, and the role may write to a log group."""
    account = arn.split(":")[4]
    role = next((one for one in iam_backends[account]["aws"].roles.values() if one.arn == arn), None)
    policies = identity.policies_of(arn)
    if role is None or policies is None:
        return False
    keys = Keys({"aws:SourceAccount": account})
    trust = [role.assume_role_policy_document]
    if not evaluate(trust, "sts:AssumeRole", arn, keys, frozenset({f"Service:{_SERVICE}"})).allowed:
        return False
    stream = f"{group.removesuffix(':*')}:log-stream:any"
    return all(
        decide(policies, f"logs:{action}", stream, keys).allowed for action in ("CreateLogStream", "PutLogEvents")
    )
