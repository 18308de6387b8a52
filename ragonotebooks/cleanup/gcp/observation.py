"""Cloud Monitoring, Cloud Logging and the subscriptions of Pub/Sub: what watches, tells, hears and records."""

from typing import Final

from ragonotebooks.cleanup.gcp.listing import description, listed, user_labels

POLICIES: Final = listed("monitoring", "alert policy", "v3/{project}/alertPolicies", user_labels)
CHANNELS: Final = listed("monitoring", "notification channel", "v3/{project}/notificationChannels", user_labels)
SUBSCRIPTIONS: Final = listed("pubsub", "subscription", "v1/{project}/subscriptions")
UPTIME_CHECKS: Final = listed("monitoring", "uptime check", "v3/{project}/uptimeCheckConfigs", user_labels)
DASHBOARDS: Final = listed("monitoring", "dashboard", "v1/{project}/dashboards")
SINKS: Final = listed("logging", "log sink", "v2/{project}/sinks", description)
METRICS: Final = listed("logging", "log-based metric", "v2/{project}/metrics", description)
LOG_BUCKETS: Final = listed("logging", "log bucket", "v2/{project}/locations/{region}/buckets", description)
