"""Policies that are attached to resources: one that cannot be read is refused when it is put, not when somebody calls."""

import json
from typing import Any

from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.policy import as_list

#: What a policy lacks that is refused.
INCOMPLETE = "Policies must be valid JSON and each statement needs an effect, a principal, an action and a resource"


def check_secrets() -> None:
    """Let Secrets Manager refuse what is no policy; moto takes any text."""
    from moto.secretsmanager.responses import SecretsManagerResponse

    _check(SecretsManagerResponse, "put_resource_policy", "ResourcePolicy")


def check_keys() -> None:
    """Let KMS refuse what is no policy; moto takes any text."""
    from moto.kms.responses import KmsResponse

    _check(KmsResponse, "create_key", "Policy")
    _check(KmsResponse, "put_key_policy", "Policy")


def is_json_object(document: str | bytes) -> bool:
    """Whether a text is a JSON object."""
    try:
        return isinstance(json.loads(document), dict)
    except ValueError:
        return False


def is_resource_policy(document: str | bytes) -> bool:
    """Whether a text is a policy with statements that are whole."""
    return is_json_object(document) and all(map(_is_whole, as_list(json.loads(document).get("Statement", [None]))))


def _is_whole(statement: Any) -> bool:
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in ("Allow", "Deny")
        and all(statement.keys() & {part, f"Not{part}"} for part in ("Principal", "Action", "Resource"))
    )


def _check(responses: Any, action: str, parameter: str) -> None:
    answer = getattr(responses, action)

    def checked(self: Any) -> Any:
        policy = self._get_param(parameter)
        if policy and not is_resource_policy(policy):
            raise ApiError("MalformedPolicyDocumentException", INCOMPLETE)
        return answer(self)

    setattr(responses, action, checked)
