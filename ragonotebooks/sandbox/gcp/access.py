"""The door of the Google Cloud: who calls, whether the API is enabled, and whether policies allow the call."""

from ragonotebooks.sandbox.gcp.cloud import IAM, Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, injected, not_found
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.policies import answers
from ragonotebooks.sandbox.gcp.service import Call, Service
from ragonotebooks.sandbox.ledger import Call as Entry


def authenticate(cloud: Cloud, token: str) -> Caller:
    """Return who holds an access token; what policies answer from here on belongs to this call.

    Raises:
        ApiError: Nobody does.
    """
    answers.set([])
    if not token:
        text = (
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
            "authentication credential."
        )
        raise ApiError("UNAUTHENTICATED", text, "CREDENTIALS_MISSING")
    caller = cloud.identities.find(token)
    if caller is None or not _is_active(cloud, caller):
        text = (
            "Request had invalid authentication credentials. Expected OAuth 2 access token that this sandbox gave out."
        )
        raise ApiError("UNAUTHENTICATED", text, "ACCESS_TOKEN_INVALID")
    return caller


def meet_faults(cloud: Cloud, entry: Entry) -> None:
    """Refuse the call of a ledger's entry when a test wants it refused."""
    if code := cloud.context.faults.met_by(entry):
        raise injected(code)


def _is_active(cloud: Cloud, caller: Caller) -> bool:
    """A service account of the project acts only while it exists and is enabled."""
    if caller.kind != "serviceAccount":
        return True
    account = cloud.store.find(IAM, f"{cloud.project.name}/serviceAccounts/{caller.email}")
    return account is not None and not account.disabled


def admit(call: Call, action: str) -> None:
    """Let a call through.

    Raises:
        ApiError: It is about another project, the API is not enabled, or no policy allows it.
    """
    if not call.cloud.project.owns(call.path):
        raise denied("", call.path, call.service)
    require_enabled(call.cloud, call.service)
    permission = call.service.permission(call.method, call.path, action)
    if permission and call.method.name != "TestIamPermissions":  # anybody may ask what they may
        require_permission(call, permission, call.path)


def require_enabled(cloud: Cloud, service: Service) -> None:
    """Refuse a call to an API that the project has not enabled, as Google does, with the command that enables it."""
    if service.always_enabled or service.host in cloud.enabled:
        return
    number, host = cloud.project.number, service.host
    url = f"https://console.developers.google.com/apis/api/{host}/overview?project={number}"
    message = (
        f"{service.title} has not been used in project {number} before or it is disabled. Enable it by visiting {url} then retry, "
        f"or by the command: gcloud services enable {host} --project {cloud.project.id}"
    )
    metadata = {
        "activationUrl": url,
        "consumer": f"projects/{number}",
        "containerInfo": number,
        "service": host,
        "serviceTitle": service.title,
    }
    raise ApiError("PERMISSION_DENIED", message, "SERVICE_DISABLED", metadata=metadata)


def require_permission(call: Call, permission: str, path: str) -> None:
    """Refuse a call whose caller lacks a permission on `path`."""
    if not may(call, permission, path):
        raise denied(permission, path, call.service)


def require_account(call: Call, name: str, shown: str, refusal: str) -> None:
    """Refuse a service account that does not exist, or that the caller may not let something run as.

    Args:
        call: Who asks for it.
        name: Its full name: `projects/p/serviceAccounts/EMAIL`.
        shown: What it is called where it does not exist.
        refusal: What a caller is told who lacks `iam.serviceAccounts.actAs`.
    """
    if call.cloud.store.find(IAM, name) is None:
        raise not_found(f"The service account {shown}")
    if not call.cloud.policies.allows(call.caller, "iam.serviceAccounts.actAs", IAM, name):
        raise ApiError("PERMISSION_DENIED", refusal)


def may(call: Call, permission: str, path: str) -> bool:
    """Whether the caller of a call has a permission on a resource or collection of the called service."""
    by_id = call.cloud.project.canonical(path, numbered=False)
    return call.cloud.policies.allows(call.caller, permission, call.service.host, by_id)


def denied(permission: str, path: str, service: Service) -> ApiError:
    """The refusal of a caller who lacks a permission."""
    what = f"Permission '{permission}'" if permission else "Permission"
    message = f"{what} denied on resource '//{service.host}/{path}' (or it may not exist)."
    metadata = {"resource": path, **({"permission": permission} if permission else {})}
    return ApiError("PERMISSION_DENIED", message, "IAM_PERMISSION_DENIED", "iam.googleapis.com", metadata)
