"""Calls that the platform makes in the name of a service account: its policies hold, and the ledger has them."""

import io
from typing import Any
from urllib.parse import quote

from ragonotebooks.sandbox.gcp import engine
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.http_front import Request, answer_request
from ragonotebooks.sandbox.ledger import Call as Entry

_STORAGE = "storage.googleapis.com"


def call_as(cloud: Cloud, email: str, host: str, method: str, **fields: Any) -> Any:
    """Call an RPC as a service account and return its answer.

    Args:
        cloud: The cloud.
        email: Of the account.
        host: The service: `secretmanager.googleapis.com`.
        method: The RPC: `AccessSecretVersion`.
        fields: Of the request.

    Raises:
        ApiError: It is refused.
    """
    service = cloud.service(host)
    rpc = next(one for one in service.rpcs.values() if one.name == method)
    with cloud.context.lock:
        token = cloud.identities.give_token(email)
    started, entry, problem = engine.now(), Entry(), None
    try:
        return engine.answer(cloud, service, rpc, rpc.request(**fields), token, entry)
    except ApiError as error:
        problem = error
        raise
    finally:
        engine.write_down(cloud, entry, problem, problem.http if problem else 200, started)


def download_as(cloud: Cloud, email: str, bucket: str, name: str, generation: int = 0) -> tuple[bytes, int]:
    """Fetch an object of Cloud Storage as a service account; return its content and its generation.

    Args:
        cloud: The cloud.
        email: Of the account.
        bucket: The bucket's name.
        name: The object's.
        generation: Which one; 0 for the live one.

    Raises:
        ApiError: It is refused, or not there.
    """
    with cloud.context.lock:
        token = cloud.identities.give_token(email)
    query = [("alt", "media"), *([("generation", str(generation))] if generation else [])]
    path = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
    headers = {"authorization": f"Bearer {token}"}
    answer = answer_request(cloud, Request("GET", _STORAGE, path, query, headers, io.BytesIO()))
    if answer.status != 200:
        text = answer.body.decode(errors="replace")
        raise ApiError("PERMISSION_DENIED" if answer.status in (401, 403) else "NOT_FOUND", text)
    return answer.body, int(answer.headers["X-Goog-Generation"])
