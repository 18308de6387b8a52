"""What a build is asked to be: checked, and refused by name where the sandbox would not do it.

Source: Cloud Build, "Build configuration file schema", read 2026-11.
"""

import re
from typing import Any, Final

from google.cloud.devtools.cloudbuild_v1 import types

from ragonotebooks.sandbox.gcp.access import require_account
from ragonotebooks.sandbox.gcp.artifact_names import DOWNLOAD, REFERENCE
from ragonotebooks.sandbox.gcp.build import substitutions
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported
from ragonotebooks.sandbox.gcp.fields import refuse
from ragonotebooks.sandbox.gcp.identity import caller_of
from ragonotebooks.sandbox.gcp.service import Call

_Options: Final[Any] = types.BuildOptions
_MOST_SECONDS: Final = 24 * 3600
_DEFAULT_SECONDS: Final = 3600
_UNSUPPORTED: Final = {
    "Build": ("images", "queue_ttl", "artifacts", "logs_bucket", "secrets", "git_config", "dependencies"),
    "BuildStep": ("wait_for", "volumes", "automap_substitutions"),
    "BuildOptions": (
        *("source_provenance_hash", "requested_verify_option", "automap_substitutions", "worker_pool", "pool"),
        *("volumes", "default_logs_bucket_behavior", "enable_structured_logging", "worker_release"),
    ),
    "Secrets": ("inline",),
    "StorageSource": ("source_fetcher",),
}


def check(build: Any) -> None:
    """Refuse a build, or a trigger's template of builds, that is wrong, or that the sandbox would not run; fill in its defaults.

    Raises:
        ApiError: What is wrong with it.
    """
    for part in (build, build.options, build.available_secrets, *build.steps):
        _refuse(part)
    if not build.steps:
        raise invalid("generic::invalid_argument: invalid build: no build steps specified", {"build.steps": "required"})
    for step in build.steps:
        _check_step(step)
    _check_source(build)
    _check_secrets(build)
    _check_logging(build)
    substitutions.check_keys(build.substitutions)
    if not build.HasField("timeout"):
        build.timeout.seconds = _DEFAULT_SECONDS
    if not 0 < build.timeout.seconds <= _MOST_SECONDS:
        raise invalid(
            f"The timeout of a build is from 1 to {_MOST_SECONDS} seconds.", {"build.timeout": "out of range"}
        )


def email_of(account: str) -> str:
    """The address of a service account: `projects/p/serviceAccounts/EMAIL`."""
    return account.rpartition("/")[2]


def check_account(call: Call, account: str) -> None:
    """Refuse an account that does not exist, or that the caller may not act as."""
    if not account:
        hint = "The sandbox has no default service account: give the build one."
        raise invalid(f"The build has no service_account. {hint}", {"build.service_account": "required"})
    name = f"{call.cloud.project.name}/serviceAccounts/{email_of(account)}"
    text = f"caller does not have permission to act as service account {name}: iam.serviceAccounts.actAs"
    require_account(call, name, account, text)


def account_may_pull(cloud: Cloud, email: str, repository: str) -> bool:
    """Whether the account of a build may use an image of a repository."""
    return cloud.policies.allows(caller_of(email), DOWNLOAD, "artifactregistry.googleapis.com", repository)


def _refuse(message: Any) -> None:
    refuse(message, _UNSUPPORTED.get(message.DESCRIPTOR.name, ()))


def _check_step(step: Any) -> None:
    if not REFERENCE.fullmatch(step.name) and "$" not in step.name:
        what = f"a step of the image {step.name}"
        raise unsupported(what, "is not supported by the sandbox: it has images of its Artifact Registry alone")
    if step.script and (step.args or step.entrypoint):
        raise invalid("generic::invalid_argument: a step with a script has neither args nor an entrypoint")
    if step.script and not step.script.startswith("#!"):
        raise unsupported("a script without a first line", "is not supported by the sandbox: begin it with #!")
    for variable in step.env:
        if "=" not in variable:
            raise invalid(f"generic::invalid_argument: the variable {variable!r} of a step is not KEY=VALUE")


def _check_source(build: Any) -> None:
    kind = build.source.WhichOneof("source")
    if kind not in (None, "storage_source"):
        raise unsupported(f"{kind} of a Source", "is not supported by the sandbox, only storage_source")
    if kind:
        source = build.source.storage_source
        _refuse(source)
        if not source.bucket or not re.search(r"\.(zip|tar\.gz|tgz)$", source.object_):
            raise invalid("generic::invalid_argument: a source is a .zip or .tar.gz object in a bucket")


def _check_secrets(build: Any) -> None:
    known = {secret.env for secret in build.available_secrets.secret_manager}
    for name in (*build.options.secret_env, *(name for step in build.steps for name in step.secret_env)):
        if name not in known:
            raise invalid(f"generic::invalid_argument: secretEnv {name!r} is not in availableSecrets")


def _check_logging(build: Any) -> None:
    """A build of a user's own account says where its log goes."""
    if build.options.logging not in (_Options.LoggingMode.CLOUD_LOGGING_ONLY, _Options.LoggingMode.NONE):
        text = (
            "generic::invalid_argument: if 'build.service_account' is specified, the build must use either "
            "CLOUD_LOGGING_ONLY or NONE logging options; the sandbox keeps no logs in buckets"
        )
        raise invalid(text, {"build.options.logging": "CLOUD_LOGGING_ONLY"})
