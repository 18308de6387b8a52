"""IAM policies: who may do what on which resource. A policy on a project holds for all that is in it."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from google.iam.v1 import policy_pb2

from ragonotebooks.sandbox.gcp import conditions
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.roles import PREDEFINED, Role

_PROJECTS = "cloudresourcemanager.googleapis.com"
_EVERYBODY = frozenset(("allUsers",))
_MEMBER_KINDS = (
    "user:",
    "serviceAccount:",
    "group:",
    "domain:",
    "deleted:",
    "projectOwner:",
    "projectEditor:",
    "projectViewer:",
    "principal://iam.googleapis.com/projects/",
    "principalSet://iam.googleapis.com/projects/",
)
_BASIC = {"roles/owner": "projectOwner", "roles/editor": "projectEditor", "roles/viewer": "projectViewer"}
_LATEST_VERSION = 3


@dataclass(frozen=True)
class Answer:
    """What policies answered.

    Attributes:
        caller: Who asked, None for an anonymous caller.
        permission: What for: `storage.objects.get`.
        name: The resource's full name.
        granted: Whether they may.
        by_project: Whether they may by a role in the project, such as Owner, and not because the resource's policy names them.
    """

    caller: Caller | None
    permission: str
    name: str
    granted: bool
    by_project: bool


#: What policies answered during the call that this thread is at; None while it is at none.
answers: ContextVar[list[Answer] | None] = ContextVar("answers", default=None)


class Policies:
    """The policies of all resources, by host and full name. Whoever calls holds the control plane's lock.

    Args:
        project: The project's name, whose policy holds for everything.
        custom: Gives the permissions of a role that a project made, None when there is none.
    """

    def __init__(self, project: str, custom: Callable[[str], Iterable[str] | None]) -> None:
        self._project = project
        self._policies: dict[tuple[str, str], policy_pb2.Policy] = {}
        self._custom = custom

    def get(self, host: str, name: str) -> policy_pb2.Policy:
        """Return a resource's policy; one that never got any has an empty one."""
        found = self._policies.get((host, name))
        return found if found is not None else policy_pb2.Policy(etag=b"ACAB")

    def set(self, host: str, name: str, policy: policy_pb2.Policy) -> policy_pb2.Policy:
        """Give a resource a policy and return it with its new etag.

        Raises:
            ApiError: The policy's etag is not the current one, or the policy is wrong.
        """
        self._check(policy, host)
        if policy.etag and policy.etag != self.get(host, name).etag:
            message = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
            raise ApiError("ABORTED", message)
        kept = policy_pb2.Policy(version=policy.version or 1, etag=secrets.token_bytes(8))
        merged: dict[tuple[str, bytes], policy_pb2.Binding] = {}
        for binding in policy.bindings:
            key = binding.role, binding.condition.SerializeToString()
            merged.setdefault(key, policy_pb2.Binding()).MergeFrom(binding)
        for binding in merged.values():
            if members := sorted(set(binding.members)):
                del binding.members[:]
                binding.members.extend(members)
                kept.bindings.append(binding)
        kept.audit_configs.extend(policy.audit_configs)
        self._policies[host, name] = kept
        return kept

    def forget(self, host: str, name: str) -> None:
        """A resource is gone, and with it the policies of all that was in it."""
        for key in [
            key for key in self._policies if key[0] == host and (key[1] == name or key[1].startswith(f"{name}/"))
        ]:
            del self._policies[key]

    def allows(self, caller: Caller | None, permission: str, host: str, name: str) -> bool:
        """Whether a policy on a resource or on anything above it gives a caller a permission; None is an anonymous caller."""
        giving = self._giving(caller, permission, host, name)
        if (noted := answers.get()) is not None:
            by_project = giving is not None and (giving[0] or caller is None or caller.member not in giving[1].members)
            noted.append(Answer(caller, permission, name, giving is not None, by_project))
        return giving is not None

    def _giving(
        self, caller: Caller | None, permission: str, host: str, name: str
    ) -> tuple[bool, policy_pb2.Binding] | None:
        """The binding that gives a permission, the nearest to the resource, and whether it is one of the project's."""
        members = (
            _EVERYBODY | {"allAuthenticatedUsers", caller.member, *caller.sets, *self._conveniences(caller)}
            if caller
            else _EVERYBODY
        )
        for policy in self._above(host, name):
            for binding in policy.bindings:
                if (
                    not members.isdisjoint(binding.members)
                    and self._permits(binding.role, permission)
                    and _holds(binding, host, name)
                ):
                    return policy is self._policies.get((_PROJECTS, self._project)), binding
        return None

    def _conveniences(self, caller: Caller) -> Iterator[str]:
        """`projectOwner:p` and the like: whoever has that basic role in the project."""
        policy = self._policies.get((_PROJECTS, self._project))
        for binding in policy.bindings if policy else ():
            if binding.role in _BASIC and caller.member in binding.members:
                yield f"{_BASIC[binding.role]}:{self._project.removeprefix('projects/')}"

    def _above(self, host: str, name: str) -> Iterator[policy_pb2.Policy]:
        parts = name.split("/")
        for length in range(len(parts), 0, -1):
            if found := self._policies.get((host, "/".join(parts[:length]))):
                yield found
        if found := self._policies.get((_PROJECTS, self._project)):
            yield found

    def _permits(self, role: str, permission: str) -> bool:
        known = self.role(role)
        return known is not None and known.allows(permission)

    def role(self, name: str) -> Role | None:
        """Return a role, predefined (`roles/…`) or a project's own (`projects/p/roles/…`); None when there is none."""
        if name.startswith("roles/"):
            return PREDEFINED.get(name)
        permissions = self._custom(name)
        return None if permissions is None else Role(tuple(permissions))

    def _check(self, policy: policy_pb2.Policy, host: str) -> None:
        for binding in policy.bindings:
            if self.role(binding.role) is None:
                raise invalid(f"Role {binding.role} does not exist in the sandbox.")
            if binding.HasField("condition"):
                _check_condition(binding, policy.version, host)
            for member in binding.members:
                if member not in ("allUsers", "allAuthenticatedUsers") and not member.startswith(_MEMBER_KINDS):
                    raise invalid(f"Invalid member {member}: it starts with user:, serviceAccount:, group: or domain:.")
                if member.startswith(("group:", "domain:")):
                    raise unsupported(
                        f"the member {member}", "is not supported by the sandbox: it has no directory of people"
                    )
        if policy.version > _LATEST_VERSION:
            raise invalid(f"The policy version {policy.version} does not exist.")


def _check_condition(binding: policy_pb2.Binding, version: int, host: str) -> None:
    if host not in conditions.HOSTS:
        raise unsupported(f"the condition {binding.condition.title!r} of a binding on a resource of {host}")
    if version != _LATEST_VERSION:
        raise invalid(f"A policy with conditions has the version {_LATEST_VERSION}, this one has {version}.")
    if binding.role in _BASIC:
        raise invalid(f"The basic role {binding.role} cannot be granted under a condition.")
    conditions.check(binding.condition.expression)


def _holds(binding: policy_pb2.Binding, host: str, name: str) -> bool:
    return not binding.HasField("condition") or conditions.holds(binding.condition.expression, host, name)
