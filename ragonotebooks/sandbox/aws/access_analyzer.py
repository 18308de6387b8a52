"""IAM Access Analyzer: analyzers of external access, and the check of a policy's text. moto has no such service.

Findings are computed when they are asked for. Unused and internal access, archive rules and previews
are refused by name.
Source: IAM Access Analyzer API reference, read 2026-11.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ragonotebooks.sandbox.aws import policy_checks
from ragonotebooks.sandbox.aws.errors import ApiError, unsupported
from ragonotebooks.sandbox.aws.external_access import Grant, grants
from ragonotebooks.sandbox.aws.incoming import Incoming
from ragonotebooks.sandbox.context import Context

_MOST: Final = 100
_ACTIVE, _RESOLVED, _ARCHIVED = "ACTIVE", "RESOLVED", "ARCHIVED"
_EXTERNAL: Final = "ExternalAccess"
Asked = Mapping[str, Any]


@dataclass
class Finding:
    """What an analyzer has found.

    Attributes:
        grant: The access.
        created: When it was found first, ISO 8601.
        analyzed: When it was looked at last.
        updated: When it changed last.
        status: `ACTIVE`, `ARCHIVED` or `RESOLVED`.
    """

    grant: Grant
    created: str
    analyzed: str
    updated: str
    status: str = _ACTIVE

    def told(self, account: str) -> dict[str, Any]:
        """What all descriptions of a finding hold."""
        return {
            "id": self.grant.id,
            "resource": self.grant.resource,
            "resourceType": self.grant.kind,
            "resourceOwnerAccount": account,
            "status": self.status,
            "createdAt": self.created,
            "analyzedAt": self.analyzed,
            "updatedAt": self.updated,
        }

    def access(self) -> dict[str, Any]:
        """Who may do what."""
        grant = self.grant
        return {
            "principal": grant.principal,
            "action": grant.actions,
            "condition": grant.condition,
            "isPublic": grant.is_public,
        }

    def show(self, status: str, now: str) -> None:
        """Change the status, if it is another."""
        self.analyzed = now
        if status != self.status:
            self.status, self.updated = status, now


@dataclass
class Analyzer:
    """An analyzer of a region.

    Attributes:
        arn: Its ARN.
        created: ISO 8601.
        tags: Its tags.
        findings: By their id.
    """

    arn: str
    created: str
    tags: dict[str, str]
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    def told(self) -> dict[str, Any]:
        """The analyzer as the API describes it."""
        about = {"arn": self.arn, "name": self.name, "type": "ACCOUNT", "status": _ACTIVE}
        return {**about, "createdAt": self.created, "tags": self.tags}

    def analyze(self, found: list[Grant]) -> None:
        """Compare what was found with what is: new findings appear, those that are no more are resolved."""
        now, there = _now(), {grant.id: grant for grant in found}
        for identifier, grant in there.items():
            finding = self.findings.setdefault(identifier, Finding(grant, now, now, now))
            finding.show(_ACTIVE if finding.status == _RESOLVED else finding.status, now)
        for identifier in self.findings.keys() - there.keys():
            self.findings[identifier].show(_RESOLVED, now)


class AccessAnalyzer:
    """The controller.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._analyzers: dict[str, Analyzer] = {}
        self._operations: dict[str, Callable[[str, Asked], dict[str, Any]]] = {
            "CreateAnalyzer": self._create,
            "DeleteAnalyzer": self._delete,
            "GetAnalyzer": lambda region, asked: {"analyzer": self._named(region, asked["analyzerName"]).told()},
            "GetFinding": self._get,
            "GetFindingV2": self._get_v2,
            "ListAnalyzers": self._list,
            "ListFindings": self._list_findings,
            "ListFindingsV2": self._list_findings_v2,
            "ListTagsForResource": lambda region, asked: {"tags": self._with(asked["resourceArn"]).tags},
            "StartResourceScan": self._scan,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "UpdateFindings": self._update,
            "ValidatePolicy": lambda region, asked: policy_checks.validate(asked),
        }

    def answer(self, incoming: Incoming) -> dict[str, Any]:
        """Answer a call that has been authorized. Raises an ApiError."""
        operation = self._operations.get(incoming.operation)
        if operation is None:
            raise unsupported(incoming.prefix, incoming.operation)
        return operation(incoming.region, incoming.parameters)

    def _create(self, region: str, asked: Asked) -> dict[str, Any]:
        if asked["type"] != "ACCOUNT" or asked.get("configuration") or asked.get("archiveRules"):
            problem = (
                "is not supported by the sandbox but for the type ACCOUNT, without configuration and archive rules"
            )
            raise unsupported("access-analyzer", "CreateAnalyzer", problem)
        name = asked["analyzerName"]
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,254}", name):
            raise ApiError("ValidationException", f"{name} is not a valid analyzer name")
        arn = f"arn:aws:access-analyzer:{region}:{self._context.state.account}:analyzer/{name}"
        if arn in self._analyzers:
            raise ApiError("ConflictException", f"an analyzer with the name {name} exists already", 409)
        self._analyzers[arn] = Analyzer(arn, _now(), dict(asked.get("tags") or {}))
        return {"arn": arn}

    def _delete(self, region: str, asked: Asked) -> dict[str, Any]:
        del self._analyzers[self._named(region, asked["analyzerName"]).arn]
        return {}

    def _list(self, region: str, asked: Asked) -> dict[str, Any]:
        here = [one for arn, one in self._analyzers.items() if arn.split(":")[3] == region]
        return _page([one.told() for one in here if asked.get("type") in (None, "ACCOUNT")], "analyzers", asked)

    def _list_findings(self, region: str, asked: Asked) -> dict[str, Any]:
        account = self._context.state.account
        return _page([one.told(account) | one.access() for one in self._found(asked)], "findings", asked)

    def _list_findings_v2(self, region: str, asked: Asked) -> dict[str, Any]:
        account = self._context.state.account
        return _page([one.told(account) | {"findingType": _EXTERNAL} for one in self._found(asked)], "findings", asked)

    def _get(self, region: str, asked: Asked) -> dict[str, Any]:
        finding = self._finding(asked)
        return {"finding": finding.told(self._context.state.account) | finding.access()}

    def _get_v2(self, region: str, asked: Asked) -> dict[str, Any]:
        finding = self._finding(asked)
        details = [{"externalAccessDetails": finding.access()}]
        return finding.told(self._context.state.account) | {"findingType": _EXTERNAL, "findingDetails": details}

    def _scan(self, region: str, asked: Asked) -> dict[str, Any]:
        self._analyzed(asked["analyzerArn"])
        return {}

    def _update(self, region: str, asked: Asked) -> dict[str, Any]:
        analyzer, now = self._analyzed(asked["analyzerArn"]), _now()
        for one in analyzer.findings.values():
            wanted = one.grant.id in (asked.get("ids") or ()) or one.grant.resource == asked.get("resourceArn")
            if wanted and one.status != _RESOLVED:
                one.show(asked["status"], now)
        return {}

    def _tag(self, region: str, asked: Asked) -> dict[str, Any]:
        self._with(asked["resourceArn"]).tags.update(asked["tags"])
        return {}

    def _untag(self, region: str, asked: Asked) -> dict[str, Any]:
        tags = self._with(asked["resourceArn"]).tags
        for key in asked["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _found(self, asked: Asked) -> list[Finding]:
        findings = self._analyzed(asked["analyzerArn"]).findings.values()
        account = self._context.state.account
        wanted = asked.get("filter") or {}
        return [one for one in findings if _passes(one.told(account) | {"isPublic": one.grant.is_public}, wanted)]

    def _finding(self, asked: Asked) -> Finding:
        finding = self._analyzed(asked["analyzerArn"]).findings.get(asked["id"])
        if finding is None:
            raise ApiError("ResourceNotFoundException", f"the finding {asked['id']} does not exist", 404)
        return finding

    def _analyzed(self, arn: str) -> Analyzer:
        analyzer = self._with(arn)
        analyzer.analyze(list(grants(self._context.state.account, arn.split(":")[3])))
        return analyzer

    def _named(self, region: str, name: str) -> Analyzer:
        return self._with(f"arn:aws:access-analyzer:{region}:{self._context.state.account}:analyzer/{name}")

    def _with(self, arn: str) -> Analyzer:
        if arn not in self._analyzers:
            raise ApiError("ResourceNotFoundException", f"the analyzer {arn} does not exist", 404)
        return self._analyzers[arn]


def of(context: Context) -> AccessAnalyzer:
    """Return the sandbox's Access Analyzer."""
    return context.part(AccessAnalyzer, lambda: AccessAnalyzer(context))


def _passes(told: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Any]]) -> bool:
    for name, criterion in wanted.items():
        if name not in told or criterion.keys() - {"eq", "neq", "contains"}:
            raise ApiError(
                "ValidationException", f"the filter {name} {sorted(criterion)} is not supported by the sandbox"
            )
        value = str(told[name]).lower() if isinstance(told[name], bool) else str(told[name])
        eq, neq, contains = (criterion.get(one) for one in ("eq", "neq", "contains"))
        if (
            (eq and value not in eq)
            or (neq and value in neq)
            or (contains and not any(part in value for part in contains))
        ):
            return False
    return True


def _page(found: list[dict[str, Any]], name: str, asked: Asked) -> dict[str, Any]:
    start, most = int(asked.get("nextToken") or 0), int(asked.get("maxResults") or _MOST)
    more = {"nextToken": str(start + most)} if len(found) > start + most else {}
    return {name: found[start : start + most], **more}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
