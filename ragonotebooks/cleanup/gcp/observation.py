"""Cloud Monitoring, Cloud Logging and the subscriptions of Pub/Sub: what watches, tells, hears and records."""

from typing import Final

from ragonotebooks.cleanup.gcp.listing import described, listed, user_labelled

POLICIES: Final = listed("monitoring", "alert policy", "v3/{project}/alertPolicies", user_labelled)
CHANNELS: Final = listed("monitoring", "notification channel", "v3/{project}/notificationChannels", user_labelled)
SUBSCRIPTIONS: Final = listed("pubsub", "subscription", "v1/{project}/subscriptions")
UPTIME_CHECKS: Final = listed("monitoring", "uptime check", "v3/{project}/uptimeCheckConfigs", user_labelled)
DASHBOARDS: Final = listed("monitoring", "dashboard", "v1/{project}/dashboards")
SINKS: Final = listed("logging", "log sink", "v2/{project}/sinks", described)
METRICS: Final = listed("logging", "log-based metric", "v2/{project}/metrics", described)
LOG_BUCKETS: Final = listed("logging", "log bucket", "v2/{project}/locations/{region}/buckets", described)
