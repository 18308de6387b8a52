"""The order of deletion: what uses another resource goes before it."""

from typing import Final

from ragonotebooks.cleanup.aws import access, compute, data, delivery, network, observation, traffic
from ragonotebooks.cleanup.kind import Kind

ORDER: Final[tuple[Kind, ...]] = (
    # first what would start something anew
    delivery.PIPELINES,
    delivery.PROJECTS,
    observation.RULES,
    compute.SCALING_TARGETS,
    compute.SERVICES,
    compute.TASKS,
    compute.CLUSTERS,
    compute.TASK_DEFINITIONS,
    compute.REPOSITORIES,
    traffic.BALANCERS,
    traffic.TARGET_GROUPS,
    traffic.NAMES,
    traffic.NAMESPACES,
    observation.ALARMS,
    observation.DASHBOARDS,
    observation.TOPICS,
    observation.QUEUES,
    observation.TRAILS,
    observation.ANALYZERS,
    network.FLOW_LOGS,
    compute.LOG_GROUPS,
    data.CACHES,
    data.CACHE_SUBNET_GROUPS,
    data.CACHE_PARAMETER_GROUPS,
    data.DATABASES,
    data.SNAPSHOTS,
    data.SUBNET_GROUPS,
    data.BUCKETS,
    access.SECRETS,
    access.PARAMETERS,
    access.PROFILES,
    access.ROLES,
    access.POLICIES,
    delivery.IDENTITY_PROVIDERS,
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

#: What holds data; a snapshot is worth nothing without the key that it is encrypted with.
DATA: Final[tuple[Kind, ...]] = (data.SNAPSHOTS, data.BUCKETS, access.KEYS)
