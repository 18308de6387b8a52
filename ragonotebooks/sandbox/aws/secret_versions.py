"""Versions of secrets: the one that AWSCURRENT was moved to is what everybody gets who asks for no version."""

from typing import Any

from moto.secretsmanager.models import SecretsManagerBackend


def install() -> None:
    """Let GetSecretValue and PutSecretValue follow UpdateSecretVersionStage; moto remembers the version that was put."""
    update = SecretsManagerBackend.update_secret_version_stage

    def update_and_follow(self: Any, secret_id: str, version_stage: str, *versions: str, **named: str) -> Any:
        answer = update(self, secret_id, version_stage, *versions, **named)
        secret = self.secrets[secret_id]
        for version, about in secret.versions.items():
            if version_stage == "AWSCURRENT" and version_stage in about["version_stages"]:
                secret.default_version_id = version
        return answer

    backend: Any = SecretsManagerBackend
    backend.update_secret_version_stage = update_and_follow
