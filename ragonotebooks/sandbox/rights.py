"""What the operator of a sandbox may do: everything, until the daemon is told to allow only so much."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ragonotebooks.sandbox import control
from ragonotebooks.sandbox.gcp.identity import OPERATOR
from ragonotebooks.sandbox.ledger import Call
from ragonotebooks.sandbox.state import State

if TYPE_CHECKING:
    from ragonotebooks.sandbox.context import Context
    from ragonotebooks.sandbox.gcp.door import Door
    from ragonotebooks.sandbox.local import Local

_PATH: Final = "/rights"


def limit(state: State, policies: Sequence[dict[str, Any]], permissions: Sequence[str]) -> None:
    """From now on the operator of a running sandbox has these rights and no others.

    Args:
        state: The sandbox.
        policies: On AWS, IAM policy documents.
        permissions: On Google Cloud, those of a custom role in the project.

    Raises:
        RagonotebooksError: The daemon does not answer, or a policy is malformed.
    """
    control.ask(state, _PATH, {"policies": list(policies), "permissions": list(permissions)})


def is_operators(call: Call) -> bool:
    """Whether the operator made a call; what runs in the cloud has a role, or a service account."""
    return call.caller.endswith(":user/operator") or call.caller == OPERATOR


def serve(context: "Context", local: "Local", google: "Door") -> None:
    """Let a daemon be told the operator's rights at `/rights`."""

    def answer(told: dict[str, Any]) -> None:
        from ragonotebooks.sandbox.aws import identity

        state = context.state
        google_iam: Any = google.open().cloud.service("iam.googleapis.com")
        with context.lock:
            operator = identity.Operator(state.account, state.access_key, state.secret_key)
            identity.limit_operator(operator, told["policies"])
            google_iam.limit_operator(told["permissions"])

    control.serve(context, local, _PATH, answer)
