"""The order of deletion: what uses another resource goes before it."""

from typing import Final

from ragonotebooks.cleanup import access, compute, data, network
from ragonotebooks.cleanup.kind import Kind

ORDER: Final[tuple[Kind, ...]] = (
    compute.TASKS,
    compute.CLUSTERS,
    compute.TASK_DEFINITIONS,
    compute.REPOSITORIES,
    compute.LOG_GROUPS,
    data.DATABASES,
    data.SNAPSHOTS,
    data.SUBNET_GROUPS,
    data.BUCKETS,
    access.SECRETS,
    access.PARAMETERS,
    access.PROFILES,
    access.ROLES,
    access.POLICIES,
    access.KEYS,
    network.ENDPOINTS,
    network.NAT_GATEWAYS,
    network.ADDRESSES,
    network.RULES,
    network.GROUPS,
    network.SUBNETS,
    network.ROUTE_TABLES,
    network.INTERNET_GATEWAYS,
    network.VPCS,
)
