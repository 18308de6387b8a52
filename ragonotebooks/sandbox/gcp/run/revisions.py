"""Revisions: what a template becomes, how it is told of, and the pools of their instances."""

from __future__ import annotations

import asyncio
import secrets
import string
import uuid
from collections.abc import Coroutine
from typing import Any, Final

from google.cloud.run_v2 import types

from ragonotebooks.sandbox.gcp.cloud import new_etag
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid
from ragonotebooks.sandbox.gcp.fields import copy_of, has_field
from ragonotebooks.sandbox.gcp.run import HOST
from ragonotebooks.sandbox.gcp.run.failures import StartFailure, set_condition
from ragonotebooks.sandbox.gcp.run.instance import Host, Plan
from ragonotebooks.sandbox.gcp.run.pool import Limits, Pool
from ragonotebooks.sandbox.gcp.run.probe import Probe, liveness_of, probe_of

_LETTERS: Final = string.ascii_lowercase + string.digits
_COPIED: Final = (
    "vpc_access",
    "max_instance_request_concurrency",
    "timeout",
    "service_account",
    "containers",
    "volumes",
    "execution_environment",
    "scaling",
)


class Revisions:
    """Keeps revisions and their pools. Whoever calls holds the lock, unless it says otherwise.

    Args:
        host: What all instances share.
    """

    def __init__(self, host: Host) -> None:
        self._host, self._cloud = host, host.cloud
        self._pools: dict[str, Pool] = {}

    def make(self, owner: Any, digest: str) -> Any:
        """Make the revision that the template of a service or worker pool asks for.

        Raises:
            ApiError: There is one of the name that it is to have.
        """
        short = owner.name.rpartition("/")[2]
        suffix = "".join(secrets.choice(_LETTERS) for _ in range(3))
        chosen = owner.template.revision or f"{short}-{owner.generation:05d}-{suffix}"
        name = f"{owner.name}/revisions/{chosen}"
        revision = _revision(owner, name)
        self._cloud.store.put(HOST, name, revision)
        plan, container = _plan(owner, revision, digest), copy_of(revision.containers[0])
        probe = probe_of(container) if owner.DESCRIPTOR.name == "Service" else Probe(0)
        self._pools[name] = Pool(self._host, plan, probe, _limits(revision), liveness_of(container))
        return revision

    def check_name(self, owner: Any) -> None:
        """Refuse a name that the next revision of a service cannot have."""
        short, chosen = owner.name.rpartition("/")[2], owner.template.revision
        if chosen and not chosen.startswith(f"{short}-"):
            raise invalid(f"The revision's name {chosen} must begin with {short}-.", {"template.revision": "malformed"})
        if chosen and self._cloud.store.find(HOST, f"{owner.name}/revisions/{chosen}") is not None:
            text = f"Revision named '{chosen}' with different configuration already exists."
            raise ApiError("ALREADY_EXISTS", text)

    def prove(self, name: str) -> None:
        """Start the first instance of a revision and show what comes of it. The caller does not hold the lock.

        Raises:
            StartFailure: It does not start.
        """
        pool = self._pools.get(name)
        if pool is None:
            return  # deleted meanwhile
        try:
            self.wait(pool.prove())
        except StartFailure as failure:
            self._show(name, "FAILED", str(failure), failure.reason)
            raise
        self._show(name, "SUCCEEDED", "", "")

    def is_ready(self, name: str) -> bool:
        """Whether a revision can serve."""
        revision = self._cloud.store.find(HOST, name)
        return revision is not None and any(
            one.type_ == "Ready" and one.state == types.Condition.State.CONDITION_SUCCEEDED
            for one in revision.conditions
        )

    def pool(self, name: str) -> Pool | None:
        """The instances of a revision, None when there is no such revision."""
        return self._pools.get(name)

    def resize(self, name: str, least: int, most: int) -> None:
        """Let a revision have another number of instances, soon."""
        pool = self._pools[name]
        limits = Limits(least, most, pool.limits.concurrency)
        if limits != pool.limits:
            asyncio.run_coroutine_threadsafe(pool.resize(limits), self._cloud.context.loop)

    def forget(self, names: list[str]) -> list[Pool]:
        """Return the pools of revisions that are about to be deleted; `close` ends them."""
        return [self._pools.pop(name) for name in names if name in self._pools]

    def close(self, pools: list[Pool]) -> None:
        """End the instances of pools. The caller does not hold the lock."""
        for pool in pools:
            self.wait(pool.close())

    def wait(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the event loop to its end. The caller does not hold the lock."""
        asyncio.run_coroutine_threadsafe(work, self._cloud.context.loop).result()

    def all(self) -> dict[str, Pool]:
        """All pools by the names of their revisions."""
        return dict(self._pools)

    def _show(self, name: str, state: str, message: str, reason: str) -> None:
        with self._cloud.context.changed:
            revision = self._cloud.store.find(HOST, name)
            if revision is None:
                return
            for kind in ("Ready", "ContainerHealthy"):
                set_condition(revision, kind, state, message, reason)
            revision.reconciling = False
            revision.update_time.GetCurrentTime()
            self._cloud.context.changed.notify_all()


def _revision(owner: Any, name: str) -> Any:
    template = owner.template
    revision = types.Revision.pb(types.Revision(name=name, uid=str(uuid.uuid4()), generation=1, observed_generation=1))
    revision.service = owner.name.rpartition("/")[2]
    revision.creator, revision.launch_stage, revision.reconciling = owner.last_modifier, owner.launch_stage, True
    revision.etag = new_etag()
    revision.labels.update({**owner.labels, **template.labels})
    revision.annotations.update(template.annotations)
    for field in _COPIED:
        if has_field(template, field):
            _copy(template, revision, field)
    revision.create_time.GetCurrentTime()
    revision.update_time.GetCurrentTime()
    set_condition(revision, "Ready", "RECONCILING", "Deploying revision.")
    return revision


def _copy(source: Any, target: Any, field: str) -> None:
    described = source.DESCRIPTOR.fields_by_name[field]
    value = getattr(source, field)
    if described.message_type is None:
        setattr(target, field, value)
    elif described.has_presence:
        if source.HasField(field):
            getattr(target, field).CopyFrom(value)
    else:
        getattr(target, field).extend(value)


def _plan(owner: Any, revision: Any, digest: str) -> Plan:
    short, name = owner.name.rpartition("/")[2], revision.name.rpartition("/")[2]
    location = owner.name.split("/")[3]
    if owner.DESCRIPTOR.name == "WorkerPool":
        labels = {"worker_pool_name": short, "revision_name": name, "location": location}
        return Plan(revision.name, revision, digest, {}, ("cloud_run_worker_pool", labels))
    variables = {
        "PORT": str(revision.containers[0].ports[0].container_port),
        "K_SERVICE": short,
        "K_REVISION": name,
        "K_CONFIGURATION": short,
    }
    labels = {"service_name": short, "revision_name": name, "configuration_name": short, "location": location}
    return Plan(revision.name, revision, digest, variables, ("cloud_run_revision", labels))


def _limits(revision: Any) -> Limits:
    return Limits(0, revision.scaling.max_instance_count or 100, revision.max_instance_request_concurrency or 80)
