"""Cleanup policies of Artifact Registry: which versions they delete. A version that any policy keeps stays.

Source: Artifact Registry, "Configure cleanup policies", read 2026-11.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.cloud.artifactregistry_v1 import types

from ragonotebooks.sandbox.gcp.errors import invalid

_Action: Final[Any] = types.CleanupPolicy.Action
_TagState: Final[Any] = types.CleanupPolicyCondition.TagState
_MOST: Final = 10  # policies of one repository


@dataclass(frozen=True)
class Candidate:
    """A version that policies look at.

    Attributes:
        version: The version.
        tags: Its tags.
    """

    version: Any
    tags: tuple[str, ...]

    @property
    def package(self) -> str:
        """The package's name in full."""
        return str(self.version.name).rpartition("/versions/")[0]

    @property
    def age(self) -> float:
        """Seconds since it was pushed."""
        return time.time() - float(self.version.create_time.ToNanoseconds()) / 1e9


def check(policies: Mapping[str, Any]) -> None:
    """Refuse policies that are wrong."""
    if len(policies) > _MOST:
        raise invalid(f"The repository has {len(policies)} cleanup policies; {_MOST} is the most.")
    for key, policy in policies.items():
        if policy.id != key:
            raise invalid(f"The cleanup policy {key} has the id {policy.id!r}: they must be the same.")
        if policy.action not in (_Action.DELETE, _Action.KEEP):
            raise invalid(f"The cleanup policy {key} has no action: it is DELETE or KEEP.")
        kind = policy.WhichOneof("condition_type")
        if kind is None:
            raise invalid(f"The cleanup policy {key} has neither a condition nor most_recent_versions.")
        if kind == "most_recent_versions" and policy.action != _Action.KEEP:
            raise invalid(f"The cleanup policy {key}: most_recent_versions goes with the action KEEP alone.")


def unwanted(policies: Iterable[Any], candidates: list[Candidate]) -> Iterator[str]:
    """Yield the names of the versions that policies delete."""
    policies = list(policies)
    kept = {name for policy in policies if policy.action == _Action.KEEP for name in _matching(policy, candidates)}
    for policy in policies:
        if policy.action == _Action.DELETE:
            yield from (name for name in _matching(policy, candidates) if name not in kept)


def _matching(policy: Any, candidates: list[Candidate]) -> Iterator[str]:
    if policy.WhichOneof("condition_type") == "most_recent_versions":
        yield from _most_recent(policy.most_recent_versions, candidates)
        return
    for candidate in candidates:
        if _matches(policy.condition, candidate):
            yield candidate.version.name


def _most_recent(rule: Any, candidates: list[Candidate]) -> Iterator[str]:
    prefixes = tuple(rule.package_name_prefixes)
    for package in dict.fromkeys(candidate.package for candidate in candidates):
        if not prefixes or package.rpartition("/")[2].startswith(prefixes):
            mine = sorted((one for one in candidates if one.package == package), key=lambda one: one.age)
            yield from (one.version.name for one in mine[: rule.keep_count])


def _matches(condition: Any, candidate: Candidate) -> bool:
    tags, package = candidate.tags, candidate.package.rpartition("/")[2]
    digest = candidate.version.name.rpartition("/")[2]
    return (
        not (condition.tag_state == _TagState.TAGGED and not tags)
        and not (condition.tag_state == _TagState.UNTAGGED and tags)
        and _begins(condition.package_name_prefixes, [package])
        and _begins(condition.version_name_prefixes, [digest])
        and _begins(condition.tag_prefixes, tags)
        and not (
            condition.HasField("older_than") and candidate.age < condition.older_than.ToTimedelta().total_seconds()
        )
        and not (
            condition.HasField("newer_than") and candidate.age > condition.newer_than.ToTimedelta().total_seconds()
        )
    )


def _begins(prefixes: Iterable[str], names: Iterable[str]) -> bool:
    wanted = tuple(prefixes)
    return not wanted or any(name.startswith(wanted) for name in names)
