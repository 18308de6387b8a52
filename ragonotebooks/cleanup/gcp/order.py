"""The order of deletion: what uses another resource goes before it."""

from typing import Final

from ragonotebooks.cleanup.gcp import access, data, network, observation, running
from ragonotebooks.cleanup.kind import Kind

ORDER: Final[tuple[Kind, ...]] = (
    # first what would start something anew
    running.TRIGGERS,
    running.TOPICS,
    running.SERVICES,
    running.WORKER_POOLS,
    running.JOBS,
    running.REPOSITORIES,
    observation.POLICIES,
    observation.UPTIME_CHECKS,
    observation.CHANNELS,
    observation.SUBSCRIPTIONS,
    observation.DASHBOARDS,
    observation.SINKS,
    observation.METRICS,
    observation.LOG_BUCKETS,
    data.CACHES,
    data.DATABASES,
    data.BUCKETS,
    data.SECRETS,
    access.BINDINGS,
    access.ACCOUNTS,
    access.ROLES,
    access.POOLS,
    network.CONNECTIONS,
    network.FIREWALL_RULES,
    network.ROUTERS,
    network.ADDRESSES,
    network.RANGES,
    network.SUBNETS,
    network.NETWORKS,
)

#: What holds data.
DATA: Final[tuple[Kind, ...]] = (data.BUCKETS,)
