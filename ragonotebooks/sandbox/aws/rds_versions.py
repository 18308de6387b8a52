"""The engine versions that RDS offers here: the Postgres that the sandbox runs, and no other."""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

_ENGINE = "postgres"


def install(version: Callable[[], str]) -> None:
    """Answer DescribeDBEngineVersions with `version()`, such as 18.4."""
    responses: Any = RDSResponse
    responses.describe_db_engine_versions = lambda self: _describe(self.params, version())


def is_offered(asked: str, version: str) -> bool:
    """Whether `18` or `18.4` means the version that is there."""
    return asked in (version, version.partition(".")[0])


def _describe(asked: dict[str, Any], version: str) -> ActionResult:
    major = version.partition(".")[0]
    wanted = (
        asked.get("Engine") in (None, _ENGINE)
        and is_offered(asked.get("EngineVersion") or version, version)
        and asked.get("DBParameterGroupFamily") in (None, f"{_ENGINE}{major}")
    )
    return ActionResult({"DBEngineVersions": [_offer(version, major)] if wanted else []})


def _offer(version: str, major: str) -> dict[str, Any]:
    return {
        "Engine": _ENGINE,
        "MajorEngineVersion": major,
        "EngineVersion": version,
        "DBParameterGroupFamily": f"{_ENGINE}{major}",
        "DBEngineDescription": "PostgreSQL",
        "DBEngineVersionDescription": f"PostgreSQL {version}",
        "ValidUpgradeTarget": [],
        "SupportsReadReplica": False,
        "SupportsLogExportsToCloudwatchLogs": False,
        "Status": "available",
    }
