"""Predefined roles: what each permits, as patterns over permission names. What the sandbox never asks for is left out.

Source: Google Cloud, "IAM basic and predefined roles reference".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final


@dataclass(frozen=True)
class Role:
    """A role.

    Attributes:
        permits: Patterns of permissions, such as `run.services.*`.
        excludes: Patterns of permissions that it does not hold all the same.
    """

    permits: tuple[str, ...]
    excludes: tuple[str, ...] = ()

    def allows(self, permission: str) -> bool:
        """Whether the role holds a permission."""
        return _any(permission, self.permits) and not _any(permission, self.excludes)


def _any(permission: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(permission, pattern) for pattern in patterns)


_READ: Final = ("*.get", "*.list", "*.getIamPolicy")
# basic roles read no data that has roles of its own
_DATA: Final = (
    "logging.privateLogEntries.*",
    "secretmanager.versions.access",
    "storage.objects.*",
    "iam.serviceAccounts.get*Token",
    "iam.serviceAccounts.sign*",
)

PREDEFINED: Final[dict[str, Role]] = {
    "roles/owner": Role(
        ("*",),
        ("iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken", "iam.serviceAccounts.sign*"),
    ),
    "roles/editor": Role(("*",), (*_DATA, "*.setIamPolicy", "iam.roles.*", "resourcemanager.projects.delete")),
    "roles/viewer": Role(_READ, _DATA),
    "roles/browser": Role(
        ("resourcemanager.projects.get", "resourcemanager.projects.list", "resourcemanager.projects.getIamPolicy")
    ),
    "roles/artifactregistry.admin": Role(("artifactregistry.*",)),
    "roles/artifactregistry.reader": Role(
        ("artifactregistry.*.get", "artifactregistry.*.list", "artifactregistry.repositories.downloadArtifacts")
    ),
    "roles/artifactregistry.repoAdmin": Role(
        ("artifactregistry.*.*",),
        ("artifactregistry.repositories.create", "artifactregistry.repositories.delete", "*.setIamPolicy"),
    ),
    "roles/artifactregistry.writer": Role(
        (
            "artifactregistry.*.get",
            "artifactregistry.*.list",
            "artifactregistry.repositories.downloadArtifacts",
            "artifactregistry.repositories.uploadArtifacts",
            "artifactregistry.tags.create",
            "artifactregistry.tags.update",
        )
    ),
    "roles/cloudbuild.builds.builder": Role(
        (
            "artifactregistry.repositories.*Artifacts",
            "artifactregistry.*.get",
            "artifactregistry.*.list",
            "artifactregistry.tags.create",
            "artifactregistry.tags.update",
            "cloudbuild.builds.*",
            "logging.logEntries.create",
            "storage.buckets.create",
            "storage.buckets.get",
            "storage.buckets.list",
            "storage.objects.*",
        ),
        ("*.setIamPolicy",),
    ),
    "roles/cloudbuild.builds.editor": Role(("cloudbuild.*",)),
    "roles/cloudbuild.builds.viewer": Role(("cloudbuild.*.get", "cloudbuild.*.list")),
    "roles/cloudsql.admin": Role(("cloudsql.*",)),
    "roles/cloudsql.client": Role(("cloudsql.instances.connect", "cloudsql.instances.get")),
    "roles/cloudsql.editor": Role(
        ("cloudsql.*",), ("cloudsql.instances.create", "cloudsql.instances.delete", "cloudsql.users.*")
    ),
    "roles/cloudsql.instanceUser": Role(("cloudsql.instances.get", "cloudsql.instances.login")),
    "roles/cloudsql.viewer": Role(("cloudsql.*.get", "cloudsql.*.list")),
    "roles/compute.admin": Role(("compute.*",)),
    "roles/compute.networkAdmin": Role(
        (
            "compute.networks.*",
            "compute.subnetworks.*",
            "compute.routers.*",
            "compute.routes.*",
            "compute.addresses.*",
            "compute.globalAddresses.*",
            "compute.*.get",
            "compute.*.list",
            "compute.forwardingRules.*",
            "compute.globalOperations.*",
            "compute.regionOperations.*",
            "servicenetworking.*",
        ),
        ("compute.firewalls.create", "compute.firewalls.delete", "compute.firewalls.update", "*.setIamPolicy"),
    ),
    "roles/compute.networkUser": Role(
        (
            "compute.networks.get",
            "compute.networks.list",
            "compute.networks.use*",
            "compute.subnetworks.get",
            "compute.subnetworks.list",
            "compute.subnetworks.use*",
        )
    ),
    "roles/compute.securityAdmin": Role(
        (
            "compute.firewalls.*",
            "compute.networks.get",
            "compute.networks.list",
            "compute.networks.updatePolicy",
            "compute.*Operations.*",
        )
    ),
    "roles/compute.viewer": Role(("compute.*.get", "compute.*.list")),
    "roles/iam.roleAdmin": Role(("iam.roles.*",)),
    "roles/iam.securityReviewer": Role(("*.getIamPolicy", "*.list")),
    "roles/iam.serviceAccountAdmin": Role(
        ("iam.serviceAccounts.*",),
        ("iam.serviceAccounts.actAs", "iam.serviceAccounts.get*Token", "iam.serviceAccounts.sign*"),
    ),
    "roles/iam.serviceAccountCreator": Role(
        ("iam.serviceAccounts.create", "iam.serviceAccounts.get", "iam.serviceAccounts.list")
    ),
    "roles/iam.serviceAccountKeyAdmin": Role(
        ("iam.serviceAccountKeys.*", "iam.serviceAccounts.get", "iam.serviceAccounts.list")
    ),
    "roles/iam.serviceAccountOpenIdTokenCreator": Role(("iam.serviceAccounts.getOpenIdToken",)),
    "roles/iam.serviceAccountTokenCreator": Role(
        (
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.list",
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.getOpenIdToken",
            "iam.serviceAccounts.implicitDelegation",
            "iam.serviceAccounts.signBlob",
            "iam.serviceAccounts.signJwt",
        )
    ),
    "roles/iam.serviceAccountUser": Role(
        ("iam.serviceAccounts.actAs", "iam.serviceAccounts.get", "iam.serviceAccounts.list")
    ),
    "roles/iam.serviceAccountViewer": Role(
        ("iam.serviceAccounts.get", "iam.serviceAccounts.list", "iam.serviceAccounts.getIamPolicy")
    ),
    "roles/iam.workloadIdentityPoolAdmin": Role(("iam.workloadIdentityPool*",)),
    "roles/iam.workloadIdentityPoolViewer": Role(("iam.workloadIdentityPool*.get", "iam.workloadIdentityPool*.list")),
    "roles/iam.workloadIdentityUser": Role(
        ("iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken", "iam.serviceAccounts.get")
    ),
    "roles/logging.admin": Role(("logging.*",)),
    "roles/logging.configWriter": Role(
        ("logging.*",), ("logging.logEntries.*", "logging.privateLogEntries.*", "logging.logs.delete")
    ),
    "roles/logging.logWriter": Role(("logging.logEntries.create", "logging.logEntries.route")),
    "roles/logging.privateLogViewer": Role(("logging.*.get", "logging.*.list")),
    "roles/logging.viewer": Role(("logging.*.get", "logging.*.list"), ("logging.privateLogEntries.*",)),
    "roles/monitoring.admin": Role(("monitoring.*",)),
    "roles/monitoring.alertPolicyEditor": Role(("monitoring.alertPolicies.*",)),
    "roles/monitoring.dashboardEditor": Role(("monitoring.dashboards.*",)),
    "roles/monitoring.editor": Role(("monitoring.*",)),
    "roles/monitoring.metricWriter": Role(
        (
            "monitoring.metricDescriptors.create",
            "monitoring.metricDescriptors.get",
            "monitoring.metricDescriptors.list",
            "monitoring.monitoredResourceDescriptors.*",
            "monitoring.timeSeries.create",
        )
    ),
    "roles/monitoring.viewer": Role(("monitoring.*.get", "monitoring.*.list")),
    "roles/pubsub.admin": Role(("pubsub.*",)),
    "roles/pubsub.editor": Role(("pubsub.*",), ("*.setIamPolicy",)),
    "roles/pubsub.publisher": Role(("pubsub.topics.publish",)),
    "roles/pubsub.subscriber": Role(("pubsub.subscriptions.consume", "pubsub.topics.attachSubscription")),
    "roles/pubsub.viewer": Role(("pubsub.*.get", "pubsub.*.list")),
    "roles/redis.admin": Role(("redis.*",)),
    "roles/redis.editor": Role(
        ("redis.instances.get*", "redis.instances.list", "redis.instances.update", "redis.operations.*"),
    ),
    "roles/redis.viewer": Role(("redis.*.get", "redis.*.list")),
    "roles/resourcemanager.projectIamAdmin": Role(
        (
            "resourcemanager.projects.get",
            "resourcemanager.projects.getIamPolicy",
            "resourcemanager.projects.setIamPolicy",
        )
    ),
    "roles/run.admin": Role(("run.*",)),
    "roles/run.builder": Role(
        (
            "artifactregistry.repositories.*Artifacts",
            "logging.logEntries.create",
            "storage.objects.get",
            "storage.objects.list",
        )
    ),
    "roles/run.developer": Role(("run.*",), ("run.routes.invoke", "*.setIamPolicy")),
    "roles/run.invoker": Role(("run.routes.invoke", "run.jobs.run")),
    "roles/run.viewer": Role(("run.*.get", "run.*.list", "run.*.getIamPolicy")),
    "roles/secretmanager.admin": Role(("secretmanager.*",)),
    "roles/secretmanager.secretAccessor": Role(("secretmanager.versions.access",)),
    "roles/secretmanager.secretVersionAdder": Role(("secretmanager.versions.add",)),
    "roles/secretmanager.secretVersionManager": Role(("secretmanager.versions.*",), ("secretmanager.versions.access",)),
    "roles/secretmanager.viewer": Role(
        ("secretmanager.*.get", "secretmanager.*.list", "secretmanager.secrets.getIamPolicy")
    ),
    "roles/servicenetworking.networksAdmin": Role(("servicenetworking.*",)),
    "roles/serviceusage.serviceUsageAdmin": Role(("serviceusage.*",)),
    "roles/serviceusage.serviceUsageConsumer": Role(
        ("serviceusage.services.get", "serviceusage.services.list", "serviceusage.services.use")
    ),
    "roles/serviceusage.serviceUsageViewer": Role(("serviceusage.*.get", "serviceusage.*.list")),
    "roles/storage.admin": Role(("storage.*",)),
    "roles/storage.bucketViewer": Role(("storage.buckets.get", "storage.buckets.list")),
    "roles/storage.legacyBucketOwner": Role(
        (
            "storage.buckets.get",
            "storage.buckets.update",
            "storage.buckets.getIamPolicy",
            "storage.buckets.setIamPolicy",
            "storage.objects.create",
            "storage.objects.delete",
            "storage.objects.list",
            "storage.multipartUploads.*",
        )
    ),
    "roles/storage.legacyBucketReader": Role(("storage.buckets.get", "storage.objects.list")),
    "roles/storage.legacyBucketWriter": Role(
        ("storage.buckets.get", "storage.objects.create", "storage.objects.delete", "storage.objects.list")
    ),
    "roles/storage.legacyObjectOwner": Role(
        (
            "storage.objects.get",
            "storage.objects.update",
            "storage.objects.getIamPolicy",
            "storage.objects.setIamPolicy",
        )
    ),
    "roles/storage.legacyObjectReader": Role(("storage.objects.get",)),
    "roles/storage.objectAdmin": Role(("storage.objects.*", "storage.multipartUploads.*")),
    "roles/storage.objectCreator": Role(("storage.objects.create", "storage.multipartUploads.create")),
    "roles/storage.objectUser": Role(
        ("storage.objects.*", "storage.multipartUploads.*"), ("*.getIamPolicy", "*.setIamPolicy")
    ),
    "roles/storage.objectViewer": Role(("storage.objects.get", "storage.objects.list")),
}
