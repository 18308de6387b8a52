"""IAM, KMS, Secrets Manager and SSM: who may do what, and with which keys and secrets."""

from collections.abc import Iterator
from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages
from ragonotebooks.cleanup.kind import Found, Kind, belonging

#: AWS lets a key wait for 7 to 30 days before it is gone for good (KMS API reference, ScheduleKeyDeletion, 2026-11).
_KEY_DAYS: Final = 7


def _find_secrets(manager: Any) -> Iterator[Found]:
    for secret in pages(manager, "list_secrets", "SecretList"):
        yield from belonging(secret.get("Tags"), secret["Name"], made=secret.get("CreatedDate"))


def _delete_secret(manager: Any, name: str) -> None:
    # at once, else the name is taken for a month and the next deployment cannot have it
    manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def _find_parameters(ssm: Any) -> Iterator[Found]:
    for parameter in pages(ssm, "describe_parameters", "Parameters"):
        name = parameter["Name"]
        yield from belonging(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"], name)


def _find_keys(kms: Any) -> Iterator[Found]:
    for key in pages(kms, "list_keys", "Keys"):
        about = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        # a key that waits for its deletion can no longer be used and costs nothing: it is as good as gone
        if about["KeyManager"] != "CUSTOMER" or about["KeyState"] == "PendingDeletion":
            continue
        tags = pages(kms, "list_resource_tags", "Tags", KeyId=key["KeyId"])
        yield from belonging(tags, key["KeyId"], made=about.get("CreationDate"))


def _delete_key(kms: Any, key: str) -> None:
    for alias in list(pages(kms, "list_aliases", "Aliases", KeyId=key)):
        kms.delete_alias(AliasName=alias["AliasName"])
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=_KEY_DAYS)


def _find_roles(iam: Any) -> Iterator[Found]:
    for role in pages(iam, "list_roles", "Roles"):
        tags = pages(iam, "list_role_tags", "Tags", RoleName=role["RoleName"])
        yield from belonging(tags, role["RoleName"], made=role.get("CreateDate"), regional=False)


def _delete_role(iam: Any, name: str) -> None:
    for policy in list(pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name)):
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for inline in list(pages(iam, "list_role_policies", "PolicyNames", RoleName=name)):
        iam.delete_role_policy(RoleName=name, PolicyName=inline)
    for profile in list(pages(iam, "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name)):
        iam.remove_role_from_instance_profile(RoleName=name, InstanceProfileName=profile["InstanceProfileName"])
    iam.delete_role(RoleName=name)


def _find_profiles(iam: Any) -> Iterator[Found]:
    for profile in pages(iam, "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        tags = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"].get("Tags")
        yield from belonging(tags, name, made=profile.get("CreateDate"), regional=False)


def _delete_profile(iam: Any, name: str) -> None:
    for role in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        iam.remove_role_from_instance_profile(RoleName=role["RoleName"], InstanceProfileName=name)
    iam.delete_instance_profile(InstanceProfileName=name)


def _find_policies(iam: Any) -> Iterator[Found]:
    for policy in pages(iam, "list_policies", "Policies", Scope="Local"):
        tags = pages(iam, "list_policy_tags", "Tags", PolicyArn=policy["Arn"])
        yield from belonging(tags, policy["Arn"], made=policy.get("CreateDate"), regional=False)


def _delete_policy(iam: Any, arn: str) -> None:
    for version in list(pages(iam, "list_policy_versions", "Versions", PolicyArn=arn)):
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)


SECRETS: Final = Kind("secretsmanager", "secret", _find_secrets, _delete_secret)
PARAMETERS: Final = Kind("ssm", "parameter", _find_parameters, lambda ssm, name: ssm.delete_parameter(Name=name))
KEYS: Final = Kind("kms", "key", _find_keys, _delete_key, opens=True)
PROFILES: Final = Kind("iam", "instance profile", _find_profiles, _delete_profile)
ROLES: Final = Kind("iam", "role", _find_roles, _delete_role)
POLICIES: Final = Kind("iam", "policy", _find_policies, _delete_policy)
