"""The release program of Google Cloud: a revision that does not start, does not answer, or errs, leaves everything as it was."""

import importlib.util
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import google.auth
import pytest
from google.api_core.exceptions import FailedPrecondition
from google.auth.credentials import AnonymousCredentials
from google.cloud import monitoring_v3, run_v2

from ragonotebooks.catalog import project

LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
OLD, NEW = "papers-api-1", "papers-api-2"
HERE = "projects/p/locations/us-central1/services/papers-api"
CLIENTS = ((run_v2, "ServicesClient"), (run_v2, "RevisionsClient"), (monitoring_v3, "MetricServiceClient"))
Calls = list[dict[str, Any]]


class Service:
    """A service of Cloud Run whose revision 1 serves, and what was written down of it.

    Args:
        starts: Whether the next revision gets ready.
    """

    def __init__(self, *, starts: bool) -> None:
        self.updates: Calls = []
        self._starts = starts
        self._now = run_v2.Service(
            name=HERE,
            uri="https://papers",
            template={"containers": [{"image": "old"}]},
            traffic_statuses=[{"revision": OLD, "percent": 100}],
            latest_created_revision=f"{HERE}/revisions/{OLD}",
        )

    def get_service(self, name: str) -> run_v2.Service:
        return self._now

    def get_revision(self, name: str) -> run_v2.Revision:
        return run_v2.Revision(containers=[{"image": "old"}])

    def update_service(self, service: dict[str, Any], update_mask: dict[str, Any]) -> Any:
        self.updates.append({path: service[path] for path in update_mask["paths"]})
        if "template" in service and service["template"].containers[0].image != "old":
            self._now.latest_created_revision = f"{HERE}/revisions/{NEW}"
            tagged = {"revision": NEW, "tag": "candidate", "uri": "https://candidate"}
            self._now.traffic_statuses = [{"revision": OLD, "percent": 100}, tagged]
            if not self._starts:
                raise FailedPrecondition("no such command")
        return SimpleNamespace(result=lambda timeout: self._now)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The program, with a service and the answers of the candidate."""
    given = {"PROJECT": "p", "REGION": "us-central1", "DEPLOYMENT": "papers", "PART": "api", "WATCH_SECONDS": "0"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(google.auth, "default", lambda *args, **more: (AnonymousCredentials(), "p"))
    # gRPC reads whom to trust once a process, when it makes its first channel; that is left to the sandbox's tests
    for package, client in CLIENTS:
        monkeypatch.setattr(package, client, lambda: None)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.syspath_prepend(project.runbooks() / "pipeline")
    spec = importlib.util.spec_from_file_location("release_program_gcp", project.runbooks() / "gcp" / "release.py")
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def made(service: Service, door: int = 401, good: int = 30, bad: int = 0) -> Any:
        module.services = module.revisions = service
        monkeypatch.setattr(module, "stored", lambda: "sha256:1")
        monkeypatch.setattr(module.id_token, "fetch_id_token", lambda request, audience: "token")
        monkeypatch.setattr(module.requests, "get", lambda *args, **more: SimpleNamespace(status_code=door))
        monkeypatch.setattr(module, "answers", lambda revision, kind, since: good if kind == "2xx" else bad)
        monkeypatch.setattr(module, "TRIES", 0)
        return module

    return made


def shares(update: dict[str, Any]) -> dict[str, int]:
    return {
        target.get("revision") or target.get("tag") or "newest": target.get("percent", 0)
        for target in update["traffic"]
    }


def test_a_good_release_gets_nothing_then_a_part_then_all(program: Callable[..., Any]) -> None:
    service = Service(starts=True)
    program(service).deploy()
    assert [shares(update) for update in service.updates] == [
        {OLD: 100, "candidate": 0},
        {OLD: 80, NEW: 20},
        {"newest": 100},
    ]


@pytest.mark.parametrize(
    ("starts", "answers", "why", "steps"),
    [
        (False, {}, "it does not start: no such command", 1),
        (True, {"door": 500}, "asked without the key, it answers 500", 1),
        (True, {"good": 5, "bad": 3}, "3 of 8 answers were errors", 2),
    ],
)
def test_a_bad_one_gives_everything_back_and_fails(
    program: Callable[..., Any], starts: bool, answers: dict[str, int], why: str, steps: int
) -> None:
    service = Service(starts=starts)
    with pytest.raises(SystemExit, match=why):
        program(service, **answers).deploy()
    back, wanted = service.updates[steps:]
    assert (shares(back), list(back)) == ({OLD: 100}, ["traffic"])
    assert (wanted["template"].containers[0].image, wanted["traffic"]) == ("old", [{"type_": LATEST, "percent": 100}])


def test_what_runs_already_is_not_released_again(program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(starts=True)
    released = program(service)
    monkeypatch.setattr(released, "image_of", lambda revision: f"{released.HOST}/{released.REPOSITORY}@sha256:1")
    released.deploy()
    assert service.updates == []


def test_nothing_is_released_while_the_traffic_is_split(program: Callable[..., Any]) -> None:
    service = Service(starts=True)
    service._now.traffic_statuses = [{"revision": OLD, "percent": 60}, {"revision": NEW, "percent": 40}]
    with pytest.raises(SystemExit, match="finish that first"):
        program(service).deploy()
    assert service.updates == []
