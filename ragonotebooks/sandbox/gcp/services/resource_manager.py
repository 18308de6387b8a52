"""Resource Manager: the one project, and the policy that holds for all that is in it."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from google.cloud.resourcemanager_v3 import types

from ragonotebooks.sandbox.gcp.cloud import PROJECTS, Cloud
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.http_front import Request, Response, json_response
from ragonotebooks.sandbox.gcp.service import Call, Service, rpc
from ragonotebooks.sandbox.ledger import Call as Entry

_TITLE: Final = "Ragonometrics sandbox"


class ResourceManager(Service):
    """Projects."""

    host = PROJECTS
    title = "Cloud Resource Manager API"
    clients = ("google.cloud.resourcemanager_v3:ProjectsClient",)
    prefix = "resourcemanager"
    permissions: ClassVar = {
        "GetProject": "resourcemanager.projects.get",
        "SearchProjects": "",
        "GetIamPolicy": "resourcemanager.projects.getIamPolicy",
        "SetIamPolicy": "resourcemanager.projects.setIamPolicy",
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._made = datetime.now(UTC)

    @rpc("GetProject")
    def _get(self, call: Call) -> Made:
        return self._project(), None

    @rpc("SearchProjects")
    def _search(self, call: Call) -> Made:
        allowed = call.cloud.policies.allows(
            call.caller, "resourcemanager.projects.get", self.host, call.cloud.project.name
        )
        return call.method.response(projects=[self._project()] if allowed else []), None

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a request, also of version 1, which gcloud and Terraform still speak: it is put as one of version 3."""
        if not request.path.startswith("/v1/projects/"):
            return super().http(request, entry)
        request.path = request.path.replace("/v1/", "/v3/", 1)
        response = super().http(request, entry)
        return response if ":" in request.path else json_response(self._of_version_1())

    def _of_version_1(self) -> dict[str, Any]:
        project = self.cloud.project
        return {
            "projectNumber": project.number,
            "projectId": project.id,
            "name": _TITLE,
            "lifecycleState": "ACTIVE",
            "createTime": self._made.isoformat().replace("+00:00", "Z"),
        }

    def _project(self) -> Any:
        project = self.cloud.project
        shown = types.Project(
            name=f"projects/{project.number}",
            project_id=project.id,
            display_name=_TITLE,
            state=types.Project.State.ACTIVE,
            create_time=self._made,
            update_time=self._made,
        )
        return types.Project.pb(shown)
