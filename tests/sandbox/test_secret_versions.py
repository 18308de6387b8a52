"""A secret's versions and the stages that wander between them, as a rotation moves them."""

from tests.sandbox.conftest import Sandbox


def test_who_asks_for_no_version_gets_the_current_one_before_and_after_a_rotation(sandbox: Sandbox) -> None:
    secrets = sandbox.client("secretsmanager")
    old = secrets.create_secret(Name="rotated", SecretString="one")["VersionId"]
    new = secrets.put_secret_value(SecretId="rotated", SecretString="two", VersionStages=["AWSPENDING"])["VersionId"]
    assert secrets.get_secret_value(SecretId="rotated")["SecretString"] == "one"
    move = {"SecretId": "rotated", "VersionStage": "AWSCURRENT", "MoveToVersionId": new, "RemoveFromVersionId": old}
    secrets.update_secret_version_stage(**move)
    assert secrets.get_secret_value(SecretId="rotated")["SecretString"] == "two"
    previous = secrets.get_secret_value(SecretId="rotated", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "one"
    secrets.put_secret_value(SecretId="rotated", SecretString="three")
    assert secrets.get_secret_value(SecretId="rotated", VersionStage="AWSCURRENT")["SecretString"] == "three"
    assert secrets.get_secret_value(SecretId="rotated", VersionStage="AWSPREVIOUS")["SecretString"] == "two"
