"""Services and worker pools: a new revision when the template has changed, traffic when it is ready, the number of its instances.

What the gate reads is `traffic_statuses` of a service: it changes only when the revisions that it names can serve.
"""

from __future__ import annotations

from typing import Any, Final

from google.cloud.run_v2 import types

from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.run import HOST
from ragonotebooks.sandbox.gcp.run import template as templates
from ragonotebooks.sandbox.gcp.run.failures import StartFailure, fill_condition, set_condition
from ragonotebooks.sandbox.gcp.run.instance import Host
from ragonotebooks.sandbox.gcp.run.probe import liveness_of, probe_of
from ragonotebooks.sandbox.gcp.run.revisions import Revisions
from ragonotebooks.sandbox.gcp.service import Call, Work

_Kind: Final[Any] = types.TrafficTargetAllocationType
_SplitKind: Final[Any] = types.InstanceSplitAllocationType
_Manual: Final[Any] = types.ServiceScaling.ScalingMode.MANUAL
_INGRESS: Final[Any] = types.IngressTraffic
_TIMEOUT, _LONGEST, _CONCURRENCY, _MOST = (
    300,
    3600,
    80,
    100,
)  # defaults and limits; Cloud Run, "Quotas and limits", read 2026-11
_LARGEST_CONCURRENCY: Final = 1000
_UNSUPPORTED: Final = (
    "binary_authorization",
    "build_config",
    "iap_enabled",
    "multi_region_settings",
    "threat_detection_enabled",
)


class Deployments:
    """The controller. Whoever calls holds the lock, unless it says otherwise.

    Args:
        host: What all instances share.
        revisions: Keeps revisions.
    """

    def __init__(self, host: Host, revisions: Revisions) -> None:
        self._cloud, self._revisions = host.cloud, revisions

    def complete_service(self, call: Call, service: Any, before: Any) -> str:
        """Check a service, fill in defaults, and return the digest of its image; `before` is None for a new one."""
        templates.refuse(service, _UNSUPPORTED)
        service.ingress = service.ingress or _INGRESS.INGRESS_TRAFFIC_ALL
        if service.ingress == _INGRESS.INGRESS_TRAFFIC_NONE:
            raise unsupported("the ingress NONE")
        template = service.template
        digest = templates.complete(call, template)
        probe_of(template.containers[0])
        liveness_of(template.containers[0])
        template.max_instance_request_concurrency = template.max_instance_request_concurrency or _CONCURRENCY
        if not 1 <= template.max_instance_request_concurrency <= _LARGEST_CONCURRENCY:
            raise invalid(f"The concurrency must be from 1 to {_LARGEST_CONCURRENCY}.")
        if not template.HasField("timeout"):
            template.timeout.seconds = _TIMEOUT
        if not 0 < template.timeout.seconds <= _LONGEST:
            raise invalid(f"The timeout must be from 1 to {_LONGEST} s.", {"template.timeout": "out of range"})
        template.scaling.max_instance_count = template.scaling.max_instance_count or _MOST
        _check_scaling(service)
        if not service.traffic:
            service.traffic.add(type_=_Kind.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, percent=100)
        self._check_traffic(service, before)
        self._complete(call, service, before)
        short, region = service.name.rpartition("/")[2], service.name.split("/")[3]
        service.uri = f"https://{short}-{self._cloud.project.number}.{region}.run.app"
        service.urls[:] = [service.uri]
        return digest

    def complete_worker_pool(self, call: Call, pool: Any, before: Any) -> str:
        """Check a worker pool, fill in defaults, and return the digest of its image."""
        templates.refuse(pool, _UNSUPPORTED)
        digest = templates.complete(call, pool.template)
        container = pool.template.containers[0]
        if container.ports or container.HasField("startup_probe") or container.HasField("liveness_probe"):
            raise invalid("The container of a worker pool has neither a port nor probes: it gets no requests.")
        if not pool.scaling.HasField("manual_instance_count"):
            pool.scaling.manual_instance_count = 1
        if not pool.instance_splits:
            pool.instance_splits.add(type_=_SplitKind.INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST, percent=100)
        if len(pool.instance_splits) != 1 or pool.instance_splits[0].percent != 100:
            raise unsupported("instances of several revisions in one worker pool")
        self._complete(call, pool, before)
        return digest

    def revise(self, owner: Any, before: Any, digest: str) -> Work:
        """Make a revision if the template has changed; return the work that brings it, and with it the traffic, up."""
        new = before is None or before.template != owner.template
        if new:
            revision = self._revisions.make(owner, digest)
            owner.latest_created_revision = revision.name
        generation, name, latest = owner.generation, owner.name, owner.latest_created_revision
        revision_name = latest if new or not self._revisions.is_ready(latest) else ""
        return lambda: self._bring_up(name, generation, revision_name)

    def remove(self, owner: Any) -> Work:
        """Return the work that ends everything of a service or worker pool."""
        names = [entry.name for entry in self._cloud.store.children(HOST, f"{owner.name}/revisions")]
        pools = self._revisions.forget(names)
        if owner.DESCRIPTOR.name == "Service":
            del owner.traffic_statuses[:]
        return lambda: self._revisions.close(pools)

    def uses(self, revision: Any) -> str | None:
        """Return what needs a revision, None when nothing does."""
        owner = self._cloud.store.get(HOST, revision.name.partition("/revisions/")[0])
        short = revision.name.rpartition("/")[2]
        if owner.latest_created_revision == revision.name:
            return "it is the latest one"
        statuses = owner.traffic_statuses if owner.DESCRIPTOR.name == "Service" else owner.instance_split_statuses
        return "it gets traffic" if any(one.revision == short for one in statuses) else None

    def _complete(self, call: Call, owner: Any, before: Any) -> None:
        if before is None or before.template != owner.template:
            self._revisions.check_name(owner)
        owner.generation += 1
        owner.creator = owner.creator or call.email
        owner.last_modifier = call.email
        owner.launch_stage = owner.launch_stage or 4
        owner.reconciling = True
        fill_condition(owner.terminal_condition, "Ready", "RECONCILING", "Deploying revision.")

    def _check_traffic(self, service: Any, before: Any) -> None:
        if sum(target.percent for target in service.traffic) != 100:
            raise invalid("The percents of the traffic targets must add up to 100.", {"traffic": "not 100"})
        tags = [target.tag for target in service.traffic if target.tag]
        if len(tags) != len(set(tags)):
            raise invalid("A traffic tag is used twice.", {"traffic.tag": "not unique"})
        for target in service.traffic:
            if not target.revision:
                target.type_ = _Kind.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
                continue
            target.type_ = _Kind.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
            target.revision = target.revision.rpartition("/")[2]
            if target.revision != service.template.revision and not self._is_ready(service, target.revision):
                raise invalid(
                    f"The traffic target {target.revision} is no revision of the service that can serve.",
                    {"traffic.revision": target.revision},
                )

    def _is_ready(self, service: Any, revision: str) -> bool:
        return self._revisions.is_ready(f"{service.name}/revisions/{revision}")

    def _bring_up(self, name: str, generation: int, revision: str) -> None:
        """Let the new revision start, then let it serve. The caller does not hold the lock."""
        failure: StartFailure | None = None
        if revision:
            try:
                self._revisions.prove(revision)
            except StartFailure as problem:
                failure = problem
        with self._cloud.context.changed:
            owner = self._cloud.store.find(HOST, name)
            if owner is None or owner.generation != generation:
                return  # deleted, or changed again meanwhile: that change has its own work
            owner.reconciling = False
            owner.observed_generation = generation
            owner.update_time.GetCurrentTime()
            if failure is None:
                self._serve(owner, revision)
            else:
                text = f"Revision '{revision.rpartition('/')[2]}' is not ready and cannot serve traffic. {failure}"
                fill_condition(owner.terminal_condition, "Ready", "FAILED", text, failure.reason)
                set_condition(owner, "ConfigurationsReady", "FAILED", text, failure.reason)
                self._scale(owner)
            self._cloud.context.changed.notify_all()
        if failure is not None:
            raise ApiError("FAILED_PRECONDITION", text)

    def _serve(self, owner: Any, revision: str) -> None:
        if revision:
            owner.latest_ready_revision = revision
        if owner.DESCRIPTOR.name == "Service":
            self._route(owner)
        else:
            del owner.instance_split_statuses[:]
            for split in owner.instance_splits:
                status = owner.instance_split_statuses.add(type_=split.type_, percent=split.percent)
                status.revision = split.revision or owner.latest_ready_revision.rpartition("/")[2]
        fill_condition(owner.terminal_condition, "Ready", "SUCCEEDED")
        set_condition(owner, "RoutesReady", "SUCCEEDED")
        set_condition(owner, "ConfigurationsReady", "SUCCEEDED")
        self._scale(owner)

    def _route(self, service: Any) -> None:
        del service.traffic_statuses[:]
        for target in service.traffic:
            status = service.traffic_statuses.add(type_=target.type_, percent=target.percent, tag=target.tag)
            status.revision = target.revision or service.latest_ready_revision.rpartition("/")[2]
            if target.tag:
                status.uri = service.uri.replace("https://", f"https://{target.tag}---")

    def _scale(self, owner: Any) -> None:
        """Let the revisions have as many instances as they are to have now."""
        for entry in self._cloud.store.children(HOST, f"{owner.name}/revisions"):
            if self._revisions.pool(entry.name) is not None:
                self._revisions.resize(entry.name, *self._wanted(owner, entry.resource))

    def _wanted(self, owner: Any, revision: Any) -> tuple[int, int]:
        """The fewest and the most instances of a revision."""
        short = revision.name.rpartition("/")[2]
        if owner.DESCRIPTOR.name == "WorkerPool":
            serves = any(status.revision == short for status in owner.instance_split_statuses)
            count = owner.scaling.manual_instance_count if serves else 0
            return count, count
        statuses = [status for status in owner.traffic_statuses if status.revision == short]
        percent = sum(status.percent for status in statuses)
        if owner.scaling.scaling_mode == _Manual:
            count = owner.scaling.manual_instance_count if percent else 0
            return count, count
        most = revision.scaling.max_instance_count or _MOST
        if owner.scaling.max_instance_count:
            most = min(most, owner.scaling.max_instance_count)
        if not statuses:
            return 0, most
        return min(
            most, max(revision.scaling.min_instance_count, owner.scaling.min_instance_count if percent else 0)
        ), most


def _check_scaling(service: Any) -> None:
    scaling = service.template.scaling
    if scaling.min_instance_count > scaling.max_instance_count:
        text = f"min_instance_count {scaling.min_instance_count} is greater than max_instance_count {scaling.max_instance_count}"
        raise invalid(f"{text}.", {"template.scaling": "min > max"})
    if service.scaling.scaling_mode == _Manual and not service.scaling.HasField("manual_instance_count"):
        raise invalid("Manual scaling needs manual_instance_count.", {"scaling.manual_instance_count": "required"})
