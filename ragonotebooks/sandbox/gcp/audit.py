"""Cloud Audit Logs: which calls are written down, and in which log. Cloud Logging makes entries of them (`logs.audited`).

Calls that change resources are always in the activity log, refused ones too. Calls that read, or that change data, are in the
data access log where the project's policy asks for it. Source: Google Cloud, "Cloud Audit Logs overview", read 2026-11.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.iam.v1 import policy_pb2

from ragonotebooks.sandbox.gcp.identity import caller_of
from ragonotebooks.sandbox.gcp.policies import Answer
from ragonotebooks.sandbox.ledger import Call as Entry

if TYPE_CHECKING:
    from ragonotebooks.sandbox.gcp.cloud import Cloud

_Type: Final[Any] = policy_pb2.AuditLogConfig
_ACTIVITY: Final = 0  # ADMIN_WRITE, which no policy can switch
_MOST: Final = 10_000
_LOGGING: Final = "logging.googleapis.com"
_PROJECTS: Final = "cloudresourcemanager.googleapis.com"

#: Prefixes of the actions that are about data, not about resources, by service.
_DATA: Final = {
    "artifactregistry.googleapis.com": ("Docker-",),
    "storage.googleapis.com": ("storage.objects.",),
    "iamcredentials.googleapis.com": ("Generate", "Sign"),
    "logging.googleapis.com": ("WriteLogEntries", "ListLogEntries", "ListLogs"),
    "monitoring.googleapis.com": ("CreateTimeSeries", "ListTimeSeries"),
    "secretmanager.googleapis.com": ("AccessSecretVersion",),
}
_NEVER: Final = ("GetOperation", "WaitOperation", "ListOperations")
_UNAUDITED: Final = frozenset(("oauth2.googleapis.com",))


@dataclass(frozen=True)
class Audited:
    """A call that is written down.

    Attributes:
        call: What the ledger has of it.
        log: `activity` or `data_access`.
        asked: What policies answered to its caller.
    """

    call: Entry
    log: str
    asked: tuple[Answer, ...]


class Audit:
    """The calls that wait until Cloud Logging makes entries of them. Whoever calls holds the control plane's lock.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._waiting: deque[Audited] = deque(maxlen=_MOST)

    def record(self, call: Entry, asked: Iterable[Answer], *, reads: bool) -> None:
        """Take notice of a call that was answered.

        Args:
            call: What the ledger has of it.
            asked: What policies answered meanwhile.
            reads: Whether its method changes nothing.
        """
        if not call.service or not call.caller or call.service in _UNAUDITED or call.action in _NEVER:
            return
        kind = _kind(call, reads=reads)
        if kind == _ACTIVITY or self._wanted(call, kind):
            log = "activity" if kind == _ACTIVITY else "data_access"
            own = tuple(one for one in asked if one.caller and one.caller.email == call.caller)
            self._waiting.append(Audited(call, log, own))
            if self._cloud.is_loaded(_LOGGING):
                logging: Any = self._cloud.service(_LOGGING)
                logging.write_audited()

    def take(self) -> Iterator[Audited]:
        """Yield what waits, the oldest first, and forget it."""
        while self._waiting:
            yield self._waiting.popleft()

    def _wanted(self, call: Entry, kind: int) -> bool:
        """Whether the project's policy asks for calls of a kind to a service, and does not exempt the caller."""
        for config in self._cloud.policies.get(_PROJECTS, self._cloud.project.name).audit_configs:
            if config.service in ("allServices", call.service):
                for one in config.audit_log_configs:
                    if one.log_type == kind and caller_of(call.caller).member not in one.exempted_members:
                        return True
        return False


def _kind(call: Entry, *, reads: bool) -> int:
    if call.action.startswith(_DATA.get(call.service, ("\0",))):
        return int(_Type.DATA_READ if reads else _Type.DATA_WRITE)
    return int(_Type.ADMIN_READ) if reads else _ACTIVITY
