"""Triggers: what starts builds. The sandbox has those that a message of Pub/Sub starts, and those that somebody runs by hand.

Repositories at GitHub and elsewhere are out of the sandbox's reach, so triggers on them are refused.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from google.cloud.devtools.cloudbuild_v1 import types

from ragonotebooks.sandbox.gcp.build import request, substitutions
from ragonotebooks.sandbox.gcp.errors import invalid, not_found, unsupported
from ragonotebooks.sandbox.gcp.fields import refuse
from ragonotebooks.sandbox.gcp.service import Call

PUBSUB: Final = "pubsub.googleapis.com"
_UNSUPPORTED: Final = (
    *("trigger_template", "github", "webhook_config", "repository_event_config", "autodetect", "filename"),
    *("git_file_source", "source_to_build", "ignored_files", "included_files", "filter", "approval_config"),
)
_State: Final[Any] = types.PubsubConfig.State


def check(call: Call, trigger: Any) -> None:
    """Refuse a trigger that is wrong, or that the sandbox does not have; fill in its defaults.

    Raises:
        ApiError: What is wrong with it.
    """
    refuse(trigger, _UNSUPPORTED)
    if not trigger.HasField("build"):
        raise invalid("A trigger without a repository has its build inline.", {"trigger.build": "required"})
    substitutions.check_keys(trigger.substitutions)
    substitutions.check_bindings(trigger.substitutions)
    request.check(trigger.build)
    request.check_account(call, trigger.service_account)
    if trigger.HasField("pubsub_config"):
        _check_topic(call, trigger.pubsub_config)


def show(cloud: Any, trigger: Any) -> None:
    """Let a trigger tell whether its topic is still there."""
    if trigger.HasField("pubsub_config"):
        there = cloud.store.find(PUBSUB, trigger.pubsub_config.topic) is not None
        trigger.pubsub_config.state = _State.OK if there else _State.TOPIC_DELETED


def build_of(trigger: Any, given: Mapping[str, str]) -> Any:
    """Return the build that a trigger makes.

    Args:
        trigger: The trigger.
        given: Values of its variables that go before its own.
    """
    build = types.Build.pb(types.Build())
    build.CopyFrom(trigger.build)
    build.build_trigger_id = trigger.id
    build.service_account = trigger.service_account
    values = {**build.substitutions, **trigger.substitutions, **given}
    build.substitutions.clear()
    build.substitutions.update(values)
    build.tags.extend([*trigger.tags, f"trigger-{trigger.id}"])
    return build


def body_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of Pub/Sub as payload bindings see it: its data are JSON when they can be read as such."""
    data = base64.b64decode(message.get("data", "")).decode(errors="replace")
    try:
        read = json.loads(data)
    except ValueError:
        read = data
    return {"message": {**message, "data": read}}


def _check_topic(call: Call, config: Any) -> None:
    if config.service_account_email:
        raise unsupported("service_account_email of a PubsubConfig")
    config.topic = call.cloud.project.canonical(config.topic, numbered=False)
    if call.cloud.store.find(PUBSUB, config.topic) is None:
        raise not_found(f"The topic {config.topic}")
