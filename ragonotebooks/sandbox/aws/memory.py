"""What moto and botocore keep, and a daemon that lives for days does not need. Install it before moto's services are imported."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from moto.core.common_models import BaseModel
from moto.utilities.utils import load_resource


def install() -> None:
    """Let this process keep less, from now on."""
    # moto 5.2.5 lists every object that it ever made, for its dashboard
    BaseModel.__new__ = _made
    Loader.FILE_LOADER_CLASS = _Models
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    for kind, places in INSTANCE_TYPE_OFFERINGS.items():
        for region in places:
            places[region] = _Offerings(kind, region)


def _made(cls: type, *_: Any, **__: Any) -> Any:
    return object.__new__(cls)


class _Models(JSONFileLoader):  # type: ignore[misc]  # botocore ships no types
    """Reads botocore's models: each once for all sessions of this process, and without what they say to people."""

    @staticmethod
    @cache
    def _load_file(full_path: str, open_method: Any) -> Any:
        try:
            with open_method(full_path, "rb") as file:
                return json.loads(file.read().decode(), object_pairs_hook=_needed)
        except FileNotFoundError:
            return None


def _needed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: _short(name, value) if isinstance(value, str) else value for name, value in pairs}


def _short(name: str, value: str) -> str:
    return "" if name == "documentation" else sys.intern(value)


@dataclass(frozen=True)
class _Offerings:
    """The instance types of a region, read whenever somebody asks for them: of all regions they are 40 MB."""

    kind: str
    region: str

    def __iter__(self) -> Iterator[dict[str, str]]:
        for offering in load_resource(f"ec2/resources/instance_type_offerings/{self.kind}/{self.region}.json"):
            yield {**offering, "LocationType": self.kind}
