"""What the services of one sandbox's Google Cloud share: the project, what exists, who may what, and the services themselves."""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module

from google.iam.v1 import policy_pb2

from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.gcp.audit import Audit
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.identity import OPERATOR, Identities
from ragonotebooks.sandbox.gcp.keys import Keys
from ragonotebooks.sandbox.gcp.operations import Operations
from ragonotebooks.sandbox.gcp.policies import Policies
from ragonotebooks.sandbox.gcp.service import Service
from ragonotebooks.sandbox.gcp.services import MODULES, PACKAGES
from ragonotebooks.sandbox.gcp.store import Store

IAM = "iam.googleapis.com"
PROJECTS = "cloudresourcemanager.googleapis.com"

#: What a new project has enabled. Source: Google Cloud, "Services enabled by default", Service Usage documentation.
_ENABLED = (
    "cloudapis.googleapis.com",
    "cloudtrace.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "servicemanagement.googleapis.com",
    "serviceusage.googleapis.com",
    "storage-api.googleapis.com",
    "storage-component.googleapis.com",
    "storage.googleapis.com",
)


@dataclass(frozen=True)
class Project:
    """The sandbox's project.

    Attributes:
        id: `ragonometrics-sandbox`.
        number: Its number, which Google's own names use.
    """

    id: str
    number: str

    @property
    def name(self) -> str:
        """`projects/ragonometrics-sandbox`."""
        return f"projects/{self.id}"

    def canonical(self, name: str, *, numbered: bool) -> str:
        """Return a resource's name with the project's number, or its id, whichever of them or `-` it came with."""
        mine, other = (self.number, self.id) if numbered else (self.id, self.number)
        head, _, rest = name.partition("/")
        named = rest.partition("/")[0]
        if head == "projects" and named in (other, "-"):
            return f"projects/{mine}{rest[len(named) :]}"
        return name

    def owns(self, name: str) -> bool:
        """Whether a name is in this project, in any (`projects/-/…`), or in nothing of the kind."""
        parts = name.split("/")
        if parts[0] in ("folders", "organizations", "billingAccounts"):
            return False
        return parts[0] != "projects" or len(parts) < 2 or parts[1] in (self.id, self.number, "-")


class Cloud:
    """One sandbox's Google Cloud.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.project = Project(context.state.project, context.state.project_number)
        self.store = Store()
        self.keys = Keys()
        self.identities = Identities(self.keys.signer)
        self.policies = Policies(self.project.name, self._custom_role)
        self.operations = Operations(context)
        self.audit = Audit(self)
        self.enabled = set(_ENABLED)
        self._services: dict[str, Service] = {}
        owner = policy_pb2.Binding(role="roles/owner", members=[f"user:{OPERATOR}"])
        self.policies.set(PROJECTS, self.project.name, policy_pb2.Policy(bindings=[owner]))

    def service(self, host: str) -> Service:
        """Return the service of a host; it is loaded when it is first asked for.

        Raises:
            ApiError: The sandbox has no such service.
        """
        with self.context.lock:
            if host not in self._services:
                if host not in MODULES:
                    raise ApiError(
                        "UNIMPLEMENTED",
                        f"{host} is not supported by the sandbox",
                        "UNSUPPORTED_BY_SANDBOX",
                        "ragonotebooks",
                    )
                module = import_module(f"ragonotebooks.sandbox.gcp.services.{MODULES[host]}")
                kind: type[Service] = next(
                    value
                    for value in vars(module).values()
                    if isinstance(value, type) and getattr(value, "host", None) == host
                )
                self._services[host] = kind(self)
            return self._services[host]

    def service_of_package(self, package: str) -> Service:
        """Return the service of a proto package such as `google.cloud.secretmanager.v1`."""
        host = PACKAGES.get(package)
        if host is None:
            raise ApiError(
                "UNIMPLEMENTED", f"{package} is not supported by the sandbox", "UNSUPPORTED_BY_SANDBOX", "ragonotebooks"
            )
        return self.service(host)

    def is_loaded(self, host: str) -> bool:
        """Whether a service has been called so far."""
        return host in self._services

    def loaded(self) -> Iterator[Service]:
        """The services that have been called so far."""
        return iter(list(self._services.values()))

    def _custom_role(self, name: str) -> Iterable[str] | None:
        role = self.store.find(IAM, name)
        return None if role is None or role.deleted else tuple(role.included_permissions)


def new_etag() -> str:
    """An etag that no other version of a resource has."""
    return secrets.token_hex(8)
