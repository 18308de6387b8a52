"""EC2: what moto's networks lack."""

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupBackend


def install() -> None:
    """Let a VPC's default security group admit its own members, as AWS makes it."""
    create = SecurityGroupBackend.create_security_group

    def create_security_group(self: Any, *args: Any, **kwargs: Any) -> Any:
        group = create(self, *args, **kwargs)
        if group.is_default:
            own = [{"GroupId": group.id, "OwnerId": self.account_id}]
            self.authorize_security_group_ingress(group.id, "-1", "-1", "-1", [], source_groups=own)
        return group

    SecurityGroupBackend.create_security_group = create_security_group
