"""Release a commit of one service, and take it back when it is bad. Runs in a build, in the folder of the source.

`release.py image` pushes the image of the commit unless it is there. `release.py deploy` makes a revision of it that gets no
traffic, asks it at an address of its own, then gives it a part of the traffic and watches its answers; when they are bad, the
revision before gets everything again, and the build fails.

PROJECT and REGION name the place, DEPLOYMENT the deployment, PART the service, WATCH_SECONDS how long it is watched at least.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import google.auth
import releasing
import requests
from google.api_core.exceptions import GoogleAPICallError
from google.auth.transport.requests import Request
from google.cloud import monitoring_v3, run_v2
from google.oauth2 import id_token
from releasing import Look, moments, say, tag

from ragonotebooks.images import Registry
from ragonotebooks.images.registry import RegistryError

PROJECT, REGION = os.environ["PROJECT"], os.environ["REGION"]
DEPLOYMENT, PART = os.environ["DEPLOYMENT"], os.environ["PART"]
WATCH_SECONDS = float(os.environ["WATCH_SECONDS"])
SERVICE = f"projects/{PROJECT}/locations/{REGION}/services/{DEPLOYMENT}-{PART}"
HOST, REPOSITORY = f"{REGION}-docker.pkg.dev", f"{PROJECT}/{DEPLOYMENT}-releases/{PART}"
SHARE = 20  # per cent of the traffic by which a release is judged
ERRORS = 2  # so many answers may be errors
TRIES = 60  # seconds until its own address must answer
LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION

services, revisions, metrics = (
    run_v2.ServicesClient(),
    run_v2.RevisionsClient(),
    monitoring_v3.MetricServiceClient(),
)


def registry() -> Registry:
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(Request())
    return Registry(HOST, "oauth2accesstoken", credentials.token)


def stored() -> str | None:
    """The digest of this commit's image when it is in the registry."""
    try:
        return registry().manifest(REPOSITORY, tag()).digest
    except RegistryError as error:
        if error.status != requests.codes.not_found:
            raise
        return None


def service() -> run_v2.Service:
    return services.get_service(name=SERVICE)


def serving() -> str:
    """The revision that has all of the traffic."""
    shares = {status.revision: status.percent for status in service().traffic_statuses if status.percent}
    if list(shares.values()) != [100]:
        raise SystemExit(f"the traffic is split, {shares}: finish that first")
    return next(iter(shares))


def image_of(revision: str) -> str:
    return str(revisions.get_revision(name=f"{SERVICE}/revisions/{revision}").containers[0].image)


def make_image() -> None:
    """Push the image that runs now with the code of this commit in place of its uppermost layer."""
    if digest := stored():
        say(f"{tag()} is there: {digest}")
        return
    repository, _, digest = image_of(serving()).removeprefix(f"{HOST}/").partition("@")
    there = registry()
    image = releasing.with_code(there.pull(repository, digest), "requirements-gcp.txt", {})
    say(f"pushed {tag()}: {there.push(image, REPOSITORY, tag(), repository)}")


def deploy() -> None:
    """Release this commit unless it runs already; when it is bad, go back and fail."""
    was, before, image = service(), serving(), f"{HOST}/{REPOSITORY}@{stored()}"
    if image_of(before) == image:
        say(f"released {before} before")
        return
    if problem := candidate(was, before, image) or share_and_watch(before):
        say(f"bad: {problem}")
        go_back(was, before)
        raise SystemExit(f"rolled back to {before}: {problem}")
    released = newest()
    update(traffic=[{"type_": LATEST, "percent": 100}])
    say(f"released {released}")


def candidate(was: run_v2.Service, before: str, image: str) -> str | None:
    """Make a revision without traffic, and ask it; return what is wrong with it."""
    template = run_v2.RevisionTemplate(was.template)
    container = template.containers[0]
    container.image, template.revision = image, ""
    for variable in container.env:
        if variable.name == "IMAGE_DIGEST":
            variable.value = image.rpartition("@")[2]
    try:
        update(template=template, traffic=[part(before, 100), {"type_": LATEST, "tag": "candidate"}])
    except GoogleAPICallError as error:
        return f"it does not start: {error.message}"
    say(f"from {before} to {newest()}")
    return ask(next(status.uri for status in service().traffic_statuses if status.tag))


def ask(address: str) -> str | None:
    """Knock at the candidate's own door, as the build's account and without the key: it has to ask for the key."""
    # the token is for the service, whatever the revision
    headers = {"Authorization": f"Bearer {id_token.fetch_id_token(Request(), service().uri)}"}
    status = 0
    for passed in moments():
        status = requests.get(f"{address}/papers", headers=headers, timeout=60).status_code
        if status == requests.codes.unauthorized:
            say("it starts, and asks for the key")
            return None
        if passed > TRIES:
            break
    return f"asked without the key, it answers {status}"


def share_and_watch(before: str) -> str | None:
    """Give the candidate a share of the traffic; return why its answers are bad."""
    revision, since = newest(), datetime.now(UTC)
    update(traffic=[part(before, 100 - SHARE), {**part(revision, SHARE), "tag": "candidate"}])
    say(f"{SHARE} % of the traffic go to {revision}")

    def look() -> Look:
        good, bad = (answers(revision, kind, since) for kind in ("2xx", "5xx"))
        return Look(good + bad, f"{bad} of {good + bad} answers were errors" if bad > ERRORS else None)

    return releasing.watch(look, WATCH_SECONDS)


def answers(revision: str, kind: str, since: datetime) -> int:
    """How many answers of a kind a revision has given; metrics are of whole minutes."""
    asked = (
        'metric.type="run.googleapis.com/request_count"'
        f' resource.labels.revision_name="{revision}" metric.labels.response_code_class="{kind}"'
    )
    interval = {"start_time": since - timedelta(minutes=1), "end_time": datetime.now(UTC) + timedelta(minutes=1)}
    series = metrics.list_time_series(
        request={"name": f"projects/{PROJECT}", "filter": asked, "interval": interval, "view": "FULL"}
    )
    return sum(point.value.int64_value for one in series for point in one.points)


def go_back(was: run_v2.Service, before: str) -> None:
    """Let the revision before have everything at once, and then be what is wanted again."""
    update(traffic=[part(before, 100)])
    template = run_v2.RevisionTemplate(was.template)
    template.revision = ""
    update(template=template, traffic=[{"type_": LATEST, "percent": 100}])


def update(**changed: Any) -> None:
    wanted = {"name": SERVICE, **changed}
    services.update_service(service=wanted, update_mask={"paths": list(changed)}).result(timeout=releasing.PATIENCE)


def part(revision: str, percent: int) -> dict[str, Any]:
    return {"type_": REVISION, "revision": revision, "percent": percent}


def newest() -> str:
    return str(service().latest_created_revision.rpartition("/")[2])


if __name__ == "__main__":
    releasing.speak()
    {"image": make_image, "deploy": deploy}[sys.argv[1]]()
