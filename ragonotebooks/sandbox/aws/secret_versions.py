"""Versions of secrets: who asks for no version gets the one that is AWSCURRENT now, however the stage came to it."""

from typing import Any

from moto.secretsmanager.models import SecretsManagerBackend

_CURRENT = "AWSCURRENT"


def install() -> None:
    """Let GetSecretValue follow UpdateSecretVersionStage; moto gives the version that was current when it was put."""
    get = SecretsManagerBackend.get_secret_value

    def get_current(self: Any, secret_id: str, version_id: str, version_stage: str) -> dict[str, Any]:
        if not (version_id or version_stage) and _has_current(self.secrets.get(secret_id)):
            version_stage = _CURRENT
        return get(self, secret_id, version_id, version_stage)

    backend: Any = SecretsManagerBackend
    backend.get_secret_value = get_current


def _has_current(secret: Any) -> bool:
    return secret is not None and any(_CURRENT in version["version_stages"] for version in secret.versions.values())
