"""The services, one module each. A module is loaded when its host is first called.

A new service is one line in `MODULES` and, when it has gRPC clients, one a proto package in `PACKAGES`.
"""

from typing import Final

#: The module of a host.
MODULES: Final = {
    "artifactregistry.googleapis.com": "artifact_registry",
    "cloudbuild.googleapis.com": "cloud_build",
    "cloudresourcemanager.googleapis.com": "resource_manager",
    "compute.googleapis.com": "compute",
    "iam.googleapis.com": "iam",
    "iamcredentials.googleapis.com": "iam_credentials",
    "logging.googleapis.com": "cloud_logging",
    "monitoring.googleapis.com": "monitoring",
    "oauth2.googleapis.com": "oauth",
    "pubsub.googleapis.com": "pubsub",
    "redis.googleapis.com": "memorystore",
    "run.googleapis.com": "cloud_run",
    "secretmanager.googleapis.com": "secret_manager",
    "servicenetworking.googleapis.com": "service_networking",
    "serviceusage.googleapis.com": "service_usage",
    "sqladmin.googleapis.com": "sql_admin",
    "storage.googleapis.com": "storage",
    "sts.googleapis.com": "sts",
}

#: The host of a proto package.
PACKAGES: Final = {
    "google.api.serviceusage.v1": "serviceusage.googleapis.com",
    "google.cloud.redis.v1": "redis.googleapis.com",
    "google.cloud.resourcemanager.v3": "cloudresourcemanager.googleapis.com",
    "google.cloud.run.v2": "run.googleapis.com",
    "google.cloud.secretmanager.v1": "secretmanager.googleapis.com",
    "google.cloud.sql.v1": "sqladmin.googleapis.com",
    "google.devtools.artifactregistry.v1": "artifactregistry.googleapis.com",
    "google.devtools.cloudbuild.v1": "cloudbuild.googleapis.com",
    "google.iam.admin.v1": "iam.googleapis.com",
    "google.iam.credentials.v1": "iamcredentials.googleapis.com",
    "google.logging.v2": "logging.googleapis.com",
    "google.monitoring.dashboard.v1": "monitoring.googleapis.com",
    "google.monitoring.v3": "monitoring.googleapis.com",
}
