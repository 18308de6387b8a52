"""Tags of scaling targets, which moto lacks."""

import json
from collections.abc import Callable
from typing import Any

from moto.applicationautoscaling import models
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response
from moto.core.responses import ActionResult
from moto.utilities.tagging_service import TaggingService

from ragonotebooks.sandbox.aws.errors import ApiError


def actions() -> dict[str, Callable[[Any], Any]]:
    """The API actions that keep and tell tags, by the name of moto's method."""
    tagger = TaggingService()
    register, deregister = Response.register_scalable_target, Response.deregister_scalable_target

    def register_scalable_target(self: Any) -> Any:
        answer = register(self)
        _tag(tagger, json.loads(answer)["ScalableTargetARN"], self._get_param("Tags") or {})
        return answer

    def deregister_scalable_target(self: Any) -> Any:
        name, dimension = self._get_param("ResourceId"), self._get_param("ScalableDimension")
        target = _backend(self).targets.get(dimension, {}).get(name)
        answer = deregister(self)
        tagger.delete_all_tags_for_resource(target.arn)
        return answer

    def list_tags_for_resource(self: Any) -> ActionResult:
        return ActionResult({"Tags": tagger.get_tag_dict_for_resource(_known(self))})

    def tag_resource(self: Any) -> ActionResult:
        _tag(tagger, _known(self), self._get_param("Tags"))
        return ActionResult({})

    def untag_resource(self: Any) -> ActionResult:
        tagger.untag_resource_using_names(_known(self), self._get_param("TagKeys"))
        return ActionResult({})

    made = (register_scalable_target, deregister_scalable_target, list_tags_for_resource, tag_resource, untag_resource)
    return {action.__name__: action for action in made}


def _backend(response: Any) -> Any:
    return models.applicationautoscaling_backends[response.current_account][response.region]


def _known(response: Any) -> str:
    """The ARN that a call is about.

    Raises:
        ApiError: No scaling target has it.
    """
    arn = str(response._get_param("ResourceARN"))
    targets = [target.arn for of_dimension in _backend(response).targets.values() for target in of_dimension.values()]
    if arn not in targets:
        raise ApiError("ResourceNotFoundException", f"No scalable target found for the ARN {arn}")
    return arn


def _tag(tagger: TaggingService, arn: str, tags: dict[str, str]) -> None:
    tagger.tag_resource(arn, [{"Key": key, "Value": value} for key, value in tags.items()])
