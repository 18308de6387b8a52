"""What moto's IAM lacks: AWS's managed policies, loaded when first asked for, the simulator, and policies that stay while used."""

import json
from collections.abc import Iterable
from itertools import product
from typing import Any

from moto.core.responses import ActionResult
from moto.iam import models
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.responses import IamResponse

from ragonotebooks.sandbox.aws.attached_policies import is_json_object
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.identity import policies_of
from ragonotebooks.sandbox.aws.patterns import Context
from ragonotebooks.sandbox.aws.policy import ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY, Policies, Principals, decide

_COLONS = 5  # of an ARN
_VERDICTS = {ALLOWED: "allowed", EXPLICIT_DENY: "explicitDeny", IMPLICIT_DENY: "implicitDeny"}


def install() -> None:
    """Put the differences into moto, before its IAM is used for the first time."""
    models.iam_backends.backend = _Backend
    responses: Any = IamResponse
    responses.simulate_principal_policy = _simulate_principal_policy
    responses.simulate_custom_policy = _simulate_custom_policy


class _Backend(models.IAMBackend):
    # moto derives its addresses from the module's name
    __module__ = models.__name__
    _managed: dict[str, models.ManagedPolicy] | None

    def delete_policy(self, policy_arn: str) -> None:
        """Delete a managed policy that nobody has and that has one version."""
        policy: Any = self.get_policy(policy_arn)
        holders = [*self.users.values(), *self.roles.values()]
        bounded = any(getattr(one, "permissions_boundary_arn", None) == policy_arn for one in holders)
        if policy.attachment_count or bounded:
            raise ApiError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
        if len(policy.versions) > 1:
            message = "This policy has more than one version. Before you delete a policy, you must delete its versions"
            raise ApiError("DeleteConflict", f"{message}. The default version is deleted with the policy.", 409)
        super().delete_policy(policy_arn)

    def _init_aws_policies(self) -> list[models.ManagedPolicy]:
        """None of the 1,500 policies at the start: they take 14 MB and a moment, and most sandboxes need none."""
        return []

    @property
    def managed_policies(self) -> dict[str, models.ManagedPolicy]:
        if self._managed is None:
            self._managed = {}
            for name, parts in json.loads(aws_managed_policies_data).items():
                policy = models.AWSManagedPolicy.from_data(name, self.account_id, self.region_name, parts)
                self._managed[policy.arn] = policy
        return self._managed

    @managed_policies.setter
    def managed_policies(self, _: dict[str, models.ManagedPolicy]) -> None:
        self._managed = None


def _simulate_principal_policy(response: Any) -> ActionResult:
    """Answer what a user or role may do, without doing it."""
    source = response.params["PolicySourceArn"]
    if source.count(":") < _COLONS:
        raise ApiError("InvalidInput", f"Invalid Entity Arn: {source} does not clearly define entity type and name.")
    held = policies_of(source)
    if held is None:
        raise ApiError("NoSuchEntity", f"The user or role {source} cannot be found.", 404)
    return _simulate(response.params, held.identity, held.boundary, source)


def _simulate_custom_policy(response: Any) -> ActionResult:
    """Answer what somebody with the given policies could do."""
    return _simulate(response.params, [], None, response.params.get("CallerArn", ""))


def _simulate(asked: dict[str, Any], identity: list[str], boundary: str | None, arn: str) -> ActionResult:
    boundaries = asked.get("PermissionsBoundaryPolicyInputList") or [boundary]
    for document in (*asked.get("PolicyInputList", []), *boundaries, asked.get("ResourcePolicy")):
        if document and not is_json_object(document):
            raise ApiError("InvalidInput", "A policy has to be a JSON document")
    policies = Policies(
        identity=[*identity, *asked.get("PolicyInputList", [])],
        boundary=boundaries[0],
        resource=[asked["ResourcePolicy"]] if asked.get("ResourcePolicy") else [],
    )
    principals = Principals(frozenset({f"AWS:{asked.get('CallerArn') or arn}"}))
    context = Context({entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in asked.get("ContextEntries", [])})
    pairs: Iterable[tuple[str, str]] = product(asked["ActionNames"], asked.get("ResourceArns") or ["*"])
    results = []
    for action, resource in pairs:
        decision = decide(policies, action, resource, context, principals)
        statement = [{"SourcePolicyId": decision.statement.get("Sid", "")}] if decision.statement else []
        results.append(
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": _VERDICTS[decision.effect],
                "MatchedStatements": statement,
                "MissingContextValues": [],
            }
        )
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})
