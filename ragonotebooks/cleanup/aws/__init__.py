"""Cleaning up an AWS account: everything is found by its tags."""

from functools import cache
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from ragonotebooks.cleanup.aws.making import making
from ragonotebooks.cleanup.aws.order import DATA, ORDER
from ragonotebooks.cleanup.kind import Account, Clients, Refusal

__all__ = ["DATA", "ORDER", "account"]

#: Reasons that pass by themselves when what holds a resource has gone.
_PASSING: Final = frozenset(
    {
        "DependencyViolation",
        "DeleteConflict",
        "CacheSubnetGroupInUse",
        "ClusterContainsServicesException",
        "InvalidCacheParameterGroupState",
        "InvalidDBInstanceState",
        "InvalidReplicationGroupState",
        "ResourceInUse",
        "InvalidDBSubnetGroupStateFault",
        "ClusterContainsTasksException",
        "InvalidIPAddress.InUse",
        "AuthFailure",  # releasing an address whose NAT gateway is still going
        "OperationAborted",
        "ThrottlingException",
        "RequestLimitExceeded",
    }
)
_UNPLAYED: Final = "NotImplemented"  # what a sandbox does not play, nobody has made there


def account(clients: Clients) -> Account:
    """The account and region that clients are for.

    Args:
        clients: Makes the client of a service: `boto3.client`. It is called once for each.
    """
    clients = cache(clients)
    return Account(
        clients, ORDER, (ClientError, BotoCoreError), _read, lambda found: making(clients("cloudtrail"), found)
    )


def _read(error: Exception) -> Refusal:
    if not isinstance(error, ClientError):
        return Refusal(str(error))
    told = error.response["Error"]
    return Refusal("{Code}: {Message}".format_map(told), told["Code"] in _PASSING, told["Code"] == _UNPLAYED)
