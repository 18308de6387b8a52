"""`secret`: from the reference that a parameter holds to the value, by the clients that production uses."""

import os
from typing import Any

from ragonotebooks.catalog import references
from ragonotebooks.errors import UsageError
from ragonotebooks.lesson.hush import SHORTEST, hush


def secret(reference: str) -> str:
    """Return the secret behind a reference, and have the run keep it out of everything that it saves.

    Args:
        reference: What a parameter declared as `Secret` holds. `secretsmanager:` and a name or ARN in AWS Secrets Manager;
            `secretmanager:` and an id, or `projects/P/secrets/S/versions/V`, in Google Cloud's Secret Manager, the newest
            version in the project of `connect` by default; `env:` and the name of a variable; `file:` and a path.

    Raises:
        UsageError: It is no reference, or what is there has less than 8 characters.
        Exception: What the cloud's client raises when it does not have the secret or does not give it.
    """
    if not references.is_reference(reference):
        raise UsageError(f"a secret is given as a reference, never as its value: {references.FORMS}")
    value = references.local_value(reference)
    if value is None:
        scheme, _, name = reference.partition(":")
        value = _of_aws(name) if scheme == "secretsmanager" else _of_google(name)
    if len(value) < SHORTEST:
        raise UsageError(f"the secret {reference} has less than {SHORTEST} characters; take a longer one")
    return hush(value).decode()


def _of_aws(name: str) -> bytes:
    import boto3

    answer: dict[str, Any] = boto3.client("secretsmanager").get_secret_value(SecretId=name)
    return answer["SecretString"].encode() if "SecretString" in answer else bytes(answer["SecretBinary"])


def _of_google(name: str) -> bytes:
    from google.cloud import secretmanager

    path = name if "/" in name else f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/secrets/{name}"
    version = path if "/versions/" in path else f"{path}/versions/latest"
    answer = secretmanager.SecretManagerServiceClient().access_secret_version(name=version)
    return bytes(answer.payload.data)
