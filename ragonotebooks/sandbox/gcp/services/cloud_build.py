"""Cloud Build: the API of builds and triggers. What a build does is in `gcp/build/`.

A request names its place by `parent` or `name`, or, as the API's first version did, by a project and an id alone, which means
the place `global`. Which permission a method needs: Cloud Build, "IAM roles and permissions", read 2026-11.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Final

from google.cloud.devtools.cloudbuild_v1 import types
from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp import filters
from ragonotebooks.sandbox.gcp.apis import Rpc
from ragonotebooks.sandbox.gcp.build import request, substitutions, triggers
from ragonotebooks.sandbox.gcp.build.builds import RunningBuild
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute.names import REGIONS
from ragonotebooks.sandbox.gcp.errors import ApiError, already_exists, invalid, not_found
from ragonotebooks.sandbox.gcp.fields import copy_of, drop_outputs, has_field, merge, set_paths
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.service import Call, Service, rpc
from ragonotebooks.sandbox.ledger import Call as Entry

_PAGE: Final = 100
_Status: Final[Any] = types.Build.Status
_LOOSE: Final = types.BuildOptions.SubstitutionOption.ALLOW_LOOSE


class CloudBuild(Service):
    """Builds and triggers."""

    host = "cloudbuild.googleapis.com"
    title = "Cloud Build API"
    clients = ("google.cloud.devtools.cloudbuild_v1:CloudBuildClient",)
    permissions: ClassVar = {
        "CancelBuild": "cloudbuild.builds.update",
        "RetryBuild": "cloudbuild.builds.create",
        "GetBuildTrigger": "cloudbuild.builds.get",
        "ListBuildTriggers": "cloudbuild.builds.list",
        **{f"{verb}BuildTrigger": "cloudbuild.builds.create" for verb in ("Create", "Update", "Delete", "Run")},
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._running: dict[str, RunningBuild] = {}
        pubsub: Any = cloud.service(triggers.PUBSUB)
        pubsub.listeners.append(self._published)

    @cached_property
    def rpcs(self) -> dict[str, Rpc]:
        """The RPCs, their rules with a place before those without."""
        found = super().rpcs
        return {
            path: replace(one, rules=tuple(sorted(one.rules, key=lambda rule: "locations" not in rule.template)))
            for path, one in found.items()
        }

    @cached_property
    def behaviours(self) -> dict[str, dict[str, frozenset[str]]]:
        """What each field may do. A trigger without a repository is run with a source that has substitutions alone."""
        return {**super().behaviours, types.RepoSource.pb(types.RepoSource()).DESCRIPTOR.full_name: {}}

    def answer(self, rpc: Rpc, message: Message, token: str, entry: Entry) -> Message:
        """Answer a gRPC call; what the request leaves out of its two ways to name a thing is filled in first."""
        _complete(message)
        return super().answer(rpc, message, token, entry)

    @rpc("CreateBuild")
    def _create(self, call: Call) -> Made:
        build = copy_of(call.message.build)
        drop_outputs(build, self.behaviours)
        substitutions.check_keys(build.substitutions)
        request.check_account(call, build.service_account)
        started = self._start(build, _place(call), loose=build.options.substitution_option == _LOOSE)
        return build, started.wait

    @rpc("GetBuild")
    def _get(self, call: Call) -> Made:
        return copy_of(self.cloud.store.get(self.host, call.path)), None

    @rpc("ListBuilds")
    def _list(self, call: Call) -> Made:
        matches = filters.compiled(call.message.filter)
        found = [one for one in self._all(call.path) if matches(one)][::-1]
        page, token = _page(found, call.message)
        return call.method.response(builds=page, next_page_token=token), None

    @rpc("CancelBuild")
    def _cancel(self, call: Call) -> Made:
        build = self.cloud.store.get(self.host, call.path)
        running = self._running.get(call.path)  # a build that a trigger could not start never ran
        if running is None or running.is_over:
            raise ApiError("FAILED_PRECONDITION", f"cannot cancel build {build.id}: it has ended")
        running.stop()
        self.cloud.context.wait_until(lambda: running.is_over)
        return copy_of(build), None

    @rpc("RetryBuild")
    def _retry(self, call: Call) -> Made:
        build = copy_of(self.cloud.store.get(self.host, call.path))
        request.check_account(call, build.service_account)
        for step in build.steps:
            for name in ("timing", "status", "exit_code"):
                step.ClearField(name)
        trigger = build.build_trigger_id
        drop_outputs(build, self.behaviours)
        build.build_trigger_id = trigger
        return build, self._start(build, _place(call), loose=True).wait

    @rpc("CreateBuildTrigger")
    def _create_trigger(self, call: Call) -> Made:
        trigger = copy_of(call.message.trigger)
        drop_outputs(trigger, self.behaviours)
        triggers.check(call, trigger)
        trigger.id = str(uuid.uuid4())
        trigger.name = trigger.name or f"trigger-{trigger.id[:8]}"
        if self._find(call.path, trigger.name):
            raise already_exists(f"The trigger {trigger.name}")
        trigger.resource_name = f"{call.path}/{trigger.id}"
        trigger.create_time.GetCurrentTime()
        if trigger.HasField("pubsub_config"):
            subscription = f"{self.cloud.project.name}/subscriptions/gcb-trigger-{trigger.id}"
            trigger.pubsub_config.subscription = subscription
        self.cloud.store.put(self.host, trigger.resource_name, trigger)
        return self._shown(trigger), None

    @rpc("GetBuildTrigger")
    def _get_trigger(self, call: Call) -> Made:
        return self._shown(self._trigger(call.path)), None

    @rpc("ListBuildTriggers")
    def _list_triggers(self, call: Call) -> Made:
        page, token = _page([self._shown(one) for one in self._all(call.path)], call.message)
        return call.method.response(triggers=page, next_page_token=token), None

    @rpc("UpdateBuildTrigger")
    def _update_trigger(self, call: Call) -> Made:
        before, change = self._trigger(call.path), copy_of(call.message.trigger)
        drop_outputs(change, self.behaviours)
        after = copy_of(before)
        fixed = {"id", "resource_name", "create_time"}
        paths = list(call.message.update_mask.paths) or set_paths(change)
        merge(after, change, [path for path in paths if path not in fixed])
        triggers.check(call, after)
        if before.HasField("pubsub_config") and after.HasField("pubsub_config"):
            after.pubsub_config.subscription = before.pubsub_config.subscription
        self.cloud.store.put(self.host, before.resource_name, after)
        return self._shown(after), None

    @rpc("DeleteBuildTrigger")
    def _delete_trigger(self, call: Call) -> Made:
        self.cloud.store.delete(self.host, self._trigger(call.path).resource_name)
        return None, None

    @rpc("RunBuildTrigger")
    def _run_trigger(self, call: Call) -> Made:
        trigger = self._trigger(call.path)
        given = call.message.source.substitutions
        substitutions.check_keys(given)
        request.check_account(call, trigger.service_account)
        build = triggers.build_of(trigger, {**substitutions.bound(trigger.substitutions, {}), **given})
        return build, self._start(build, _place(call), loose=True, trigger=trigger.name).wait

    def _published(self, topic: str, message: Mapping[str, Any]) -> None:
        """Run the triggers of a topic. Whoever calls holds the lock."""
        for entry in list(self.cloud.store.children(self.host, f"{self.cloud.project.name}/locations/-/triggers")):
            trigger = entry.resource
            if trigger.HasField("pubsub_config") and trigger.pubsub_config.topic == topic and not trigger.disabled:
                given = substitutions.bound(trigger.substitutions, triggers.body_of(message))
                place = trigger.resource_name.partition("/triggers/")[0]
                build = triggers.build_of(trigger, given)
                try:
                    self._start(build, place, loose=True, trigger=trigger.name)
                except ApiError as error:
                    self._keep_refused(build, error)

    def _start(self, build: Any, place: str, *, loose: bool, trigger: str = "") -> RunningBuild:
        """Make a build of what is asked for, and start it. Whoever calls holds the lock.

        Raises:
            ApiError: It is wrong.
        """
        build.id = str(uuid.uuid4())
        build.name, build.project_id = f"{place}/builds/{build.id}", self.cloud.project.id
        build.status = _Status.QUEUED
        build.create_time.GetCurrentTime()
        build.log_url = f"https://console.cloud.google.com/cloud-build/builds/{build.id}?project={build.project_id}"
        known = {
            "PROJECT_ID": build.project_id,
            "PROJECT_NUMBER": self.cloud.project.number,
            "BUILD_ID": build.id,
            "LOCATION": place.rpartition("/")[2],
            "TRIGGER_NAME": trigger,
            "SERVICE_ACCOUNT": build.service_account,
            "SERVICE_ACCOUNT_EMAIL": request.email_of(build.service_account),
        }
        substitutions.replace_in(build, {**build.substitutions, **known}, loose=loose)
        request.check(build)
        self.cloud.store.put(self.host, build.name, build)
        running = self._running[build.name] = RunningBuild(self.cloud, build)
        running.begin()
        return running

    def _keep_refused(self, build: Any, error: ApiError) -> None:
        """Show a build that a trigger could not start: nobody else waits for the error."""
        build.status, build.status_detail = _Status.FAILURE, error.message
        build.finish_time.GetCurrentTime()
        self.cloud.store.put(self.host, build.name, build)

    def _trigger(self, path: str) -> Any:
        """Return a trigger by its name in full, which may end with its name for people instead of its id."""
        place, _, which = path.rpartition("/")
        found = self._find(place, which)
        if found is None:
            raise not_found(path)
        return found

    def _find(self, place: str, which: str) -> Any:
        return next((one for one in self._all(place) if which in (one.id, one.name)), None)

    def _all(self, collection: str) -> Iterator[Any]:
        return (entry.resource for entry in self.cloud.store.children(self.host, collection))

    def _shown(self, trigger: Any) -> Any:
        copy = copy_of(trigger)
        triggers.show(self.cloud, copy)
        return copy


def _complete(message: Any) -> None:
    """Let a request name its project, place and resource in both ways."""
    trigger = message.trigger if has_field(message, "trigger") and has_field(message, "trigger_id") else None
    name = trigger.resource_name if trigger is not None else getattr(message, "name", "")
    kind, key = ("triggers", "trigger_id") if has_field(message, "trigger_id") else ("builds", "id")
    parent = getattr(message, "parent", "")
    project = getattr(message, "project_id", "")
    if not has_field(message, "project_id"):
        return
    if has_field(message, "parent") and not parent and project:
        message.parent = f"projects/{project}/locations/global"
    if has_field(message, key):
        if not name and project and getattr(message, key):
            name = f"projects/{project}/locations/global/{kind}/{getattr(message, key)}"
        elif name and not getattr(message, key):
            setattr(message, key, name.rpartition("/")[2])
        if trigger is not None:
            trigger.resource_name = name
        else:
            message.name = name
    if not project and (parts := (parent or name).split("/"))[1:]:
        message.project_id = parts[1]


def _place(call: Call) -> str:
    """Where a call's builds are: `projects/p/locations/l`."""
    place = "/".join(call.path.split("/")[:4])
    location = place.rpartition("/")[2]
    if location not in (*REGIONS, "global"):
        raise invalid(f"The location {location} does not exist.", {"parent": "unknown location"})
    return place


def _page(found: list[Any], message: Any) -> tuple[list[Any], str]:
    try:
        start = int(message.page_token or 0)
    except ValueError:
        raise invalid("The page token is not one of this list.", {"page_token": "invalid"}) from None
    end = start + (message.page_size or _PAGE)
    return [copy_of(one) for one in found[start:end]], str(end) if end < len(found) else ""
