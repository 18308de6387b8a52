"""The parts of a deployment on Cloud Run, services and worker pools: what of them runs, and how something else comes to run.

A revision never changes. What can be changed are the template, of which the next revision is made, and where a service's
traffic goes. An operator leaves both in one state: all traffic to the newest revision, and the template that of what runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import google.auth
from google.api_core.exceptions import GoogleAPICallError
from google.auth import impersonated_credentials
from google.auth.transport.requests import Request
from google.cloud import run_v2, secretmanager

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.lesson.connect import Lab
from ragonotebooks.lesson.look import maybe
from ragonotebooks.operate import workers
from ragonotebooks.operate.api import Api

#: Labels of a revision that took the place of one that was no good: the release was taken back, or rolled back later.
TAKEN_BACK: Final = "taken-back"
ROLLED_BACK: Final = "rolled-back"

_POOLS: Final = ("worker",)
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_SECONDS: Final = 600  # for a change until it serves
_LATEST: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
_REVISION: Final = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
#: What a revision and the template of a service, or of a pool, have in common.
_SETTINGS: Final = ("vpc_access", "service_account", "containers", "volumes")
_SERVICE_SETTINGS: Final = (
    *_SETTINGS,
    "scaling",
    "timeout",
    "max_instance_request_concurrency",
    "execution_environment",
)


@dataclass(frozen=True)
class Part:
    """A service or a worker pool of a deployment.

    Attributes:
        lab: The deployment.
        name: `api`, `ui` or `worker`.
    """

    lab: Lab
    name: str

    @property
    def is_pool(self) -> bool:
        """Whether it is a worker pool, which gets no traffic."""
        return self.name in _POOLS

    @property
    def path(self) -> str:
        """Its resource name."""
        collection = "workerPools" if self.is_pool else "services"
        return f"projects/{self.lab.project}/locations/{self.lab.region}/{collection}/{self.lab.name}-{self.name}"

    def there(self) -> Any:
        """The service or worker pool as it is now.

        Raises:
            RagonotebooksError: It is gone.
        """
        client = self._client()
        found = maybe(client.get_worker_pool if self.is_pool else client.get_service, name=self.path)
        if found is None:
            raise RagonotebooksError(
                f"the {self.name} of {self.lab.name} is gone; make it with: ragonotebooks run gcp/08-services"
            )
        return found

    def shares(self) -> dict[str, int]:
        """Revision → how much of the traffic it gets, or of the instances, in percent."""
        there = self.there()
        statuses = there.instance_split_statuses if self.is_pool else there.traffic_statuses
        return {one.revision: one.percent for one in statuses if one.percent}

    def is_settled(self) -> bool:
        """Whether nothing is under way: the newest revision has all, and the next one will."""
        there = self.there()
        follows = self.is_pool or all(target.type_.name == _LATEST for target in there.traffic)
        return follows and not there.reconciling and self.shares() == {self.newest(): 100}

    def newest(self) -> str:
        """The revision that was made last, by the last part of its name."""
        return str(self.there().latest_created_revision.rpartition("/")[2])

    def revision(self, name: str) -> Any:
        """A revision, by the last part of its name."""
        return run_v2.RevisionsClient().get_revision(name=f"{self.path}/revisions/{name}")

    def serving(self) -> Any:
        """The revision that has all, or the largest share."""
        shares = self.shares()
        return self.revision(max(shares, key=lambda revision: shares[revision]))

    def before(self) -> Any:
        """The revision that ran before the newest one's image did; None when there is none that was not given up."""
        every = sorted(run_v2.RevisionsClient().list_revisions(parent=self.path), key=lambda one: one.create_time)
        given_up = {one.labels.get(label) for one in every for label in (TAKEN_BACK, ROLLED_BACK)}
        now = self.revision(self.newest())
        fits = [
            one
            for one in every
            if one.create_time < now.create_time
            and one.containers[0].image != now.containers[0].image
            and _short(one) not in given_up
            and _is_ready(one)
        ]
        return fits[-1] if fits else None

    def change(self, edit: Callable[[Any], None]) -> str | None:
        """Change the service or worker pool, and wait until that holds; return what went wrong, None when nothing did.

        Args:
            edit: Changes what it is given: `there()`. What somebody else changes meanwhile is not overwritten.
        """
        there, client = self.there(), self._client()
        there.template.revision = ""
        edit(there)
        try:
            if self.is_pool:
                client.update_worker_pool(worker_pool=there).result(timeout=_SECONDS)
            else:
                client.update_service(service=there).result(timeout=_SECONDS)
        except GoogleAPICallError as error:
            lines = [line for line in workers.last_words(self.newest()) if line not in error.message]
            return "\n".join([f"the {self.name} does not get ready: {error.message}", *lines])
        return workers.missing(self.newest(), self.there().scaling.manual_instance_count) if self.is_pool else None

    def direct(self, percents: Mapping[str, int]) -> str | None:
        """Divide a service's traffic among revisions, `{"ragonometrics-api-00001-abc": 100}`; return what went wrong."""
        return self._route([{"type_": _REVISION, "revision": one, "percent": share} for one, share in percents.items()])

    def settle(self) -> str | None:
        """Let the newest revision have all, and the next one after it; return what went wrong."""
        return None if self.is_settled() else self._route([{"type_": _LATEST, "percent": 100}])

    def bring(self, image: str) -> str | None:
        """Make a revision with another image; return what went wrong. A service's gets no traffic, but an address (`trial`)."""
        now = _short(self.serving())

        def edit(there: Any) -> None:
            _put_in(there.template, image)
            if not self.is_pool:
                candidate = {"type_": _LATEST, "percent": 0, "tag": "candidate"}
                there.traffic = [{"type_": _REVISION, "revision": now, "percent": 100}, candidate]

        return self.change(edit)

    def trial(self) -> str:
        """The address of the revision that `bring` made of a service."""
        address: str = next(one.uri for one in self.there().traffic_statuses if one.tag == "candidate")
        return address

    def go_back(self, revision: Any, label: str) -> str | None:
        """Let a revision of before run again: its traffic at once, then a copy of it as the newest; return what went wrong.

        Args:
            revision: What runs again.
            label: TAKEN_BACK or ROLLED_BACK, the label by which the copy names the revision that it takes the place of.
        """
        left = self.newest()

        def edit(there: Any) -> None:
            fields = _SETTINGS if self.is_pool else _SERVICE_SETTINGS
            there.template = {field: getattr(revision, field) for field in fields} | {"labels": {label: left}}

        if self.is_pool:
            return self.change(edit)
        # the traffic stays where it is while the copy starts: the newest revision that is ready may be the bad one
        there = {_short(revision): 100}
        problem = None if self.shares() == there else self.direct(there)
        return problem or self.change(edit) or self.settle()

    def _route(self, targets: list[dict[str, Any]]) -> str | None:
        def edit(there: Any) -> None:
            there.traffic = targets

        return self.change(edit)

    def _client(self) -> Any:
        return run_v2.WorkerPoolsClient() if self.is_pool else run_v2.ServicesClient()


def api_of(lab: Lab) -> Api:
    """The deployment's API, asked as its UI asks it: in the name of the UI's account, with the key."""
    address = Part(lab, "api").there().uri
    source, _ = google.auth.default()
    ui = f"{lab.name}-ui@{lab.project}.iam.gserviceaccount.com"
    acting = impersonated_credentials.Credentials(source, ui, [_SCOPE])
    identity = impersonated_credentials.IDTokenCredentials(acting, address, include_email=True)
    version = f"projects/{lab.project}/secrets/{lab.name}-api-key/versions/latest"
    key = secretmanager.SecretManagerServiceClient().access_secret_version(name=version).payload.data.decode()

    def headers() -> dict[str, str]:
        if not identity.valid:
            identity.refresh(Request())
        return {"Authorization": f"Bearer {identity.token}", "X-API-Key": key}

    return Api(address, headers)


def _put_in(template: Any, image: str) -> None:
    for label in (TAKEN_BACK, ROLLED_BACK):
        template.labels.pop(label, None)
    container = template.containers[0]
    container.image = image
    for variable in container.env:
        if variable.name == "IMAGE_DIGEST":
            variable.value = image.rpartition("@")[2]


def _short(revision: Any) -> str:
    return str(revision.name.rpartition("/")[2])


def _is_ready(revision: Any) -> bool:
    return any(one.type_ == "Ready" and one.state.name == "CONDITION_SUCCEEDED" for one in revision.conditions)
