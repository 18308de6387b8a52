"""EC2: what moto's networks lack. Groups that admit their members, deletes that are refused while something is in use, and
interface endpoints with an interface in each subnet.
"""

from typing import Any

from moto.ec2 import models
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import vpcs

from ragonotebooks.sandbox.aws import ec2_endpoints, ec2_uses
from ragonotebooks.sandbox.context import Context


def install() -> None:
    """Put the differences into moto, before its EC2 is used for the first time."""
    models.ec2_backends.backend = Backend
    # whose names for endpoints moto asks for: of all others it would load everything for a name
    vpcs.IMPLEMENTED_ENDPOINT_SERVICES[:] = ["dynamodb", "ecr", "s3"]


def deliver_flow_logs(context: Context) -> None:
    """Have flow logs delivered, once somebody makes one."""
    create = models.EC2Backend.create_flow_logs

    def create_flow_logs(self: Any, **asked: Any) -> Any:
        # a sandbox without flow logs remembers no connections
        from ragonotebooks.sandbox.aws import flow_logs

        flow_logs.check(asked)
        flow_logs.of(context)
        return create(self, **asked)

    setattr(Backend, "create_flow_logs", create_flow_logs)  # noqa: B010 - a method that knows the context


class Backend(models.EC2Backend):
    """moto's backend; what is used cannot be deleted."""

    # moto derives an API's URLs from the module that its backend is defined in
    __module__ = "moto.ec2.models"

    def create_security_group(self, *args: Any, **kwargs: Any) -> Any:
        """Create a group; a VPC's default one admits its own members."""
        group: Any = super().create_security_group(*args, **kwargs)
        if group.is_default:
            own = [{"GroupId": group.id, "OwnerId": self.account_id}]
            self.authorize_security_group_ingress(group.id, "-1", "-1", "-1", [], source_groups=own)
        return group

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """Delete a group that no rule refers to and nothing is in."""
        group: Any = (
            self.get_security_group_from_id(group_id) if group_id else self.get_security_group_by_name_or_id(str(name))
        )
        if group:
            ec2_uses.refuse(f"resource {group.id} has a dependent object", ec2_uses.of_group(self, group))
            if group.is_default:
                message = f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user'
                raise EC2ClientError("CannotDelete", message)
        super().delete_security_group(name, group_id)

    def delete_subnet(self, subnet_id: str) -> Any:
        """Delete a subnet that has no interface in it; its route table forgets it."""
        message = f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
        ec2_uses.refuse(message, ec2_uses.of_subnet(self, subnet_id))
        subnet: Any = super().delete_subnet(subnet_id)
        for table in self.route_tables.values():
            table._associations = {key: there for key, there in table._associations.items() if there != subnet_id}
        return subnet

    def delete_vpc(self, vpc_id: str) -> Any:
        """Delete a VPC that holds nothing but what it was made with."""
        message = f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
        ec2_uses.refuse(message, ec2_uses.of_vpc(self, vpc_id))
        for group in list(self.groups.get(vpc_id, {})):
            self._delete_security_group(vpc_id, group)
        return super().delete_vpc(vpc_id)

    def delete_nat_gateway(self, nat_gateway_id: str) -> Any:
        """Delete a NAT gateway, and its interface with it."""
        if nat_gateway_id not in self.nat_gateways:
            raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
        gateway: Any = super().delete_nat_gateway(nat_gateway_id)
        self.enis.pop(gateway._eni.id, None)
        return gateway

    def create_vpc_endpoint(self, *_: Any, **asked: Any) -> Any:
        """Create an endpoint, of the type `Gateway` unless another is named."""
        return ec2_endpoints.create(self, super().create_vpc_endpoint, **asked)

    def modify_vpc_endpoint(self, vpc_id: str, *args: Any, **kwargs: Any) -> None:
        """Change an endpoint, given by its id, and its interfaces with it."""
        super().modify_vpc_endpoint(vpc_id, *args, **kwargs)
        ec2_endpoints.place(self, self.vpc_end_points[vpc_id])

    def delete_vpc_endpoints(self, vpce_ids: list[str] | None = None) -> None:
        """Delete endpoints: nothing shows them any more."""
        super().delete_vpc_endpoints(vpce_ids)
        for identifier in vpce_ids or []:
            self.vpc_end_points.pop(identifier, None)
