"""Calls that the platform makes in the name of an instance's service account: its policies hold, and the ledger has them."""

from typing import Any

from ragonotebooks.sandbox.gcp import engine
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.ledger import Call as Entry


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
