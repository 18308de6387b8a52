"""Triggers of Cloud Build, and what leads to them: topics of Pub/Sub, and buckets that tell of uploads."""

from collections.abc import Iterator
from typing import Any

import google.auth
import pytest
from google.api_core.exceptions import BadRequest, FailedPrecondition, MethodNotImplemented
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from google.cloud.devtools import cloudbuild_v1

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.building import TOPIC, Builder, name_of, publish, rest
from tests.sandbox.gcp.conftest import PROJECT
from tests.sandbox.gcp.images import LOCATION


@pytest.fixture(scope="module")
def made() -> list[Builder]:
    """Where a module keeps its builder, which is made in the environment of the sandbox."""
    return []


@pytest.fixture
def builder(gcp: Sandbox, made: list[Builder]) -> Builder:
    if not made:
        made.append(Builder())
    return made[0]


@pytest.fixture
def topic(builder: Builder) -> Iterator[str]:
    """A topic that a test has to itself."""
    rest("PUT", f"https://pubsub.googleapis.com/v1/{TOPIC}", {})
    yield TOPIC
    rest("DELETE", f"https://pubsub.googleapis.com/v1/{TOPIC}")


def trigger_of(builder: Builder, name: str, *steps: dict[str, Any], **more: Any) -> cloudbuild_v1.BuildTrigger:
    template = {"steps": steps, "options": {"logging": "CLOUD_LOGGING_ONLY"}}
    trigger = {"name": name, "build": template, "service_account": name_of(builder.email), **more}
    return builder.client.create_build_trigger(request={"parent": LOCATION, "trigger": trigger})


def builds_of(builder: Builder, trigger: cloudbuild_v1.BuildTrigger) -> list[cloudbuild_v1.Build]:
    asked = f'build_trigger_id="{trigger.id}"'
    return list(builder.client.list_builds(request={"parent": LOCATION, "filter": asked}))


def ended(builder: Builder, trigger: cloudbuild_v1.BuildTrigger) -> cloudbuild_v1.Build:
    """The trigger's newest build, when it is over."""
    eventually(lambda: any(build.finish_time for build in builds_of(builder, trigger)[:1]))
    return builds_of(builder, trigger)[0]


def test_message_starts_a_build_that_knows_what_is_in_it(builder: Builder, topic: str) -> None:
    show = builder.step("-c", "import sys; print(sys.argv[1:])", "$_WHICH", "$_YEAR", "$_NONE", "$TRIGGER_NAME")
    bindings = {
        "_WHICH": "$(body.message.attributes.paper)",
        "_YEAR": "$(body.message.data.year)",
        "_NONE": "$(body.message.attributes.none)",
    }
    made = trigger_of(builder, "papers", show, pubsub_config={"topic": topic}, substitutions=bindings)
    message = {"data": "eyJ5ZWFyIjogMTk4M30=", "attributes": {"paper": "runs"}}
    publish(topic, message)
    assert builder.lines(ended(builder, made)) == ["['runs', '1983', '', 'papers']"]
    builder.client.delete_build_trigger(request={"name": made.resource_name})
    publish(topic, message)
    assert len(builds_of(builder, made)) == 1


def test_trigger_is_found_by_its_name_changed_and_run_by_hand(builder: Builder) -> None:
    show = builder.step("-c", "import sys; print(sys.argv[1])", "$_WHAT")
    made = trigger_of(builder, "by-hand", show, substitutions={"_WHAT": "its own"})
    name = f"{LOCATION}/triggers/by-hand"
    assert builder.client.get_build_trigger(request={"name": name}) == made
    build = builder.client.run_build_trigger(request={"name": name}).result(timeout=60)
    assert builder.lines(build) == ["its own"]
    source = {"substitutions": {"_WHAT": "given"}}
    build = builder.client.run_build_trigger(request={"name": name, "source": source}).result(timeout=60)
    assert builder.lines(build) == ["given"]

    made.description = "shows what it is given"
    changed = builder.client.update_build_trigger(
        request={"trigger": made, "trigger_id": made.id, "project_id": PROJECT.removeprefix("projects/")}
    )
    assert changed.description == "shows what it is given"
    assert (changed.id, changed.build) == (made.id, made.build)


def test_build_that_a_trigger_cannot_start_is_shown_as_failed(builder: Builder, topic: str) -> None:
    step = {"name": "$_IMAGE", "args": ["-m", "said"]}
    bindings = {"_IMAGE": "$(body.message.attributes.image)"}
    made = trigger_of(builder, "imageless", step, pubsub_config={"topic": topic}, substitutions=bindings)
    publish(topic, {"data": "eA=="})
    build = ended(builder, made)
    assert (build.status.name, "a step of the image" in build.status_detail) == ("FAILURE", True)
    with pytest.raises(FailedPrecondition):
        builder.client.cancel_build(request={"name": build.name})


def test_trigger_that_is_disabled_starts_nothing(builder: Builder, topic: str) -> None:
    made = trigger_of(builder, "off", builder.step("-m", "said"), pubsub_config={"topic": topic}, disabled=True)
    publish(topic, {"data": "eA=="})
    assert builds_of(builder, made) == []


def test_trigger_tells_that_its_topic_has_gone(builder: Builder) -> None:
    gone = f"{TOPIC}-gone"
    rest("PUT", f"https://pubsub.googleapis.com/v1/{gone}", {})
    made = trigger_of(builder, "alone", builder.step("-m", "said"), pubsub_config={"topic": gone})
    assert made.pubsub_config.state == cloudbuild_v1.PubsubConfig.State.OK
    rest("DELETE", f"https://pubsub.googleapis.com/v1/{gone}")
    found = builder.client.get_build_trigger(request={"name": made.resource_name})
    assert found.pubsub_config.state == cloudbuild_v1.PubsubConfig.State.TOPIC_DELETED


@pytest.mark.parametrize("kind", ["github", "webhook_config", "repository_event_config", "filter"])
def test_trigger_on_what_the_sandbox_has_not_is_refused_by_name(builder: Builder, kind: str) -> None:
    given: Any = {"github": {"owner": "x"}, "webhook_config": {"secret": "x"}, "filter": "_A == 'b'"}
    given["repository_event_config"] = {"repository": "x"}
    with pytest.raises(MethodNotImplemented, match=f"{kind} of a BuildTrigger"):
        trigger_of(builder, "refused", builder.step("-m", "said"), **{kind: given[kind]})


def test_upload_starts_a_build_once_the_bucket_may_tell_of_it(builder: Builder, topic: str) -> None:
    notice = builder.bucket.notification(
        topic_name="sources",
        event_types=["OBJECT_FINALIZE"],
        payload_format="JSON_API_V1",
        blob_name_prefix="source/",
    )
    with pytest.raises(BadRequest, match="does not have permission to publish"):
        notice.create()
    teller = storage.Client().get_service_account_email()
    binding = {"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{teller}"]}
    rest("POST", f"https://pubsub.googleapis.com/v1/{topic}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert rest("GET", f"https://pubsub.googleapis.com/v1/{topic}:getIamPolicy")["bindings"] == [binding]
    notice.create()
    bindings = {"_OBJECT": "$(body.message.attributes.objectId)", "_SIZE": "$(body.message.data.size)"}
    show = builder.step("-c", "import sys; print(sys.argv[1:])", "$_OBJECT", "$_SIZE")
    made = trigger_of(builder, "uploads", show, pubsub_config={"topic": topic}, substitutions=bindings)
    builder.upload("elsewhere/paper.txt", b"a paper")
    builder.upload("source/paper.txt", b"a paper")
    assert builder.lines(ended(builder, made)) == ["['source/paper.txt', '7']"]
    assert len(builds_of(builder, made)) == 1
    assert [one.blob_name_prefix for one in builder.bucket.list_notifications()] == ["source/"]
    notice.delete()
    builder.upload("source/paper.txt", b"another")
    assert len(builds_of(builder, made)) == 1


def test_notification_of_other_events_is_refused_by_name(builder: Builder, topic: str) -> None:
    for events in (["OBJECT_DELETE"], None):
        with pytest.raises(MethodNotImplemented, match="OBJECT_FINALIZE"):
            builder.bucket.notification(topic_name="sources", event_types=events).create()


def test_topics_are_made_listed_and_refused_what_the_sandbox_has_not(builder: Builder, topic: str) -> None:
    listed = rest("GET", f"https://pubsub.googleapis.com/v1/{PROJECT}/topics")
    assert topic in [one["name"] for one in listed["topics"]]
    session = AuthorizedSession(google.auth.default()[0])
    for verb, path, body, status in (
        ("PUT", topic, {}, 409),
        ("PUT", f"{topic}-x", {"schemaSettings": {}}, 501),
        ("PUT", f"{PROJECT}/topics/1", {}, 400),
        ("POST", f"{topic}:publish", {"messages": [{}]}, 400),
        ("POST", f"{topic}-x:publish", {"messages": [{"data": "eA=="}]}, 404),
    ):
        answer = session.request(verb, f"https://pubsub.googleapis.com/v1/{path}", json=body, timeout=30)
        assert answer.status_code == status, answer.text
