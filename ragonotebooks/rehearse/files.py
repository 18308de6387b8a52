"""What a rehearsal leaves in its folder: the plan for people and for programs, and what the cloud has to allow for it."""

import json
from pathlib import Path
from typing import Any

import yaml

from ragonotebooks.catalog.prices import HOURS
from ragonotebooks.rehearse.plan import Plan, repeated
from ragonotebooks.run import folder, report_facts

PAGE = "plan.md"


def write(plan: Plan, where: Path) -> None:
    """Write `plan.md` and `plan.json`, and `policy.json` (numbered when it takes several) or `role.yaml`.

    Raises:
        OSError: There is no room.
    """
    folder.write(where / PAGE, _page(plan))
    folder.write(where / "plan.json", _json(_facts(plan)))
    for name, text in rights(plan).items():
        folder.write(where / name, text)


def rights(plan: Plan) -> dict[str, str]:
    """The files that say what the cloud has to allow, by their names: `policy.json`, in several when it is long; `role.yaml`."""
    count = len(plan.policies)
    names = ["policy.json"] if count == 1 else [f"policy-{number}.json" for number in range(1, count + 1)]
    files = dict(zip(names, map(_json, plan.policies), strict=True))
    return files | ({"role.yaml": yaml.safe_dump(plan.role, sort_keys=False)} if plan.role else {})


def price(plan: Plan) -> str:
    """What the runbook makes costs, at list price; empty when no step prices it."""
    month = report_facts.month(plan.run)
    return "" if month is None else f"${month / HOURS:,.4f} an hour, ${month:,.2f} a month"


def _json(facts: Any) -> str:
    return json.dumps(facts, ensure_ascii=False, indent=2) + "\n"


def _facts(plan: Plan) -> dict[str, Any]:
    month = report_facts.month(plan.run)
    return {
        "runbook": plan.run.runbook,
        "changes": [{"step": change.step, "call": change.call, "resource": change.resource} for change in plan.changes],
        "resources": plan.resources,
        "approvals": plan.approvals,
        "policies": list(plan.policies),
        "role": plan.role,
        "proven": plan.proven,
        "hour_usd": None if month is None else month / HOURS,
        "month_usd": month,
        "seconds": {notebook.key: notebook.seconds for notebook in plan.run.notebooks},
        "objectives": {exam.code: [line.id for line in exam.lines] for exam in report_facts.covered(plan.run)},
    }


def _page(plan: Plan) -> str:
    run = plan.run
    count = f"{len(plan.changes)} calls change {len(plan.resources)} resources"
    parts = [
        f"# {run.title}: what it would do",
        f"Rehearsed as `{run.runbook}` on {run.started:%d %B %Y, %H:%M} UTC, {run.seconds:.1f} s. {count}.",
        "## Changes, in order",
        _table(
            ["step", "call", "on", "times"],
            [[one.step, f"`{one.call}`", f"`{one.resource}`", str(times)] for one, times in repeated(plan.changes)],
        ),
        "## Resources",
        "\n".join(f"- `{resource}`" for resource in plan.resources) or "None is changed.",
        "## Approvals",
        "\n".join(f"- {step}: {why}" for step, why in plan.approvals.items()) or "Nobody is waited for.",
        "## Permissions",
        _permissions(plan),
        "## Price",
        _price(plan),
        "## Time",
        _table(["notebook", "seconds"], [[one.key, f"{one.seconds:.1f}"] for one in run.notebooks]),
        "## Objectives",
        "\n".join(
            f"- {exam.code} {exam.name}: {', '.join(line.id for line in exam.lines)}"
            for exam in report_facts.covered(run)
        )
        or "None is covered.",
    ]
    return "\n\n".join(parts) + "\n"


def _permissions(plan: Plan) -> str:
    proof = {
        None: "That it is enough was not tried; `--prove` does.",
        True: "Proven: the runbook passed once more in a sandbox where this was all that it was allowed.",
        False: "**Not proven:** the runbook did not pass where this was all that it was allowed; see `proof`.",
    }[plan.proven]
    where = " and ".join(f"`{name}`" for name in rights(plan))
    actions = sorted({action for policy in plan.policies for one in policy["Statement"] for action in one["Action"]})
    allowed = actions + (plan.role["includedPermissions"] if plan.role else [])
    return f"{where or 'Nothing'} has to be allowed. {proof}\n\n{', '.join(f'`{one}`' for one in allowed)}"


def _price(plan: Plan) -> str:
    total = price(plan)
    if not total:
        return "No step prices what it makes."
    lines = [line for notebook in plan.run.notebooks for record in notebook.prices for line in record["lines"]]
    rows = [
        [one["service"], one["item"], f"{one['quantity']:,g} × {one['unit']}", f"{one['month']:,.2f}"] for one in lines
    ]
    return f"{total}, at list price.\n\n{_table(['service', 'item', 'quantity', '$ a month'], rows)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
