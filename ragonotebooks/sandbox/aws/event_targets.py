"""What EventBridge sends to a rule's target: the event, a part of it, a constant, or a text that the event fills."""

import json
import re
from typing import Any, Final

from ragonotebooks.sandbox.aws.errors import ApiError

_STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]")
_PATH: Final = re.compile(r"\$((?:\.[\w-]+|\[\d+\])*)")
_SLOT: Final = re.compile(r"<([\w.-]+)>")
_ABSENT: Final = object()


def input_of(target: dict[str, Any], event: dict[str, Any], rule: str) -> str:
    """Return the text that a target gets for an event of the rule with this ARN."""
    if target.get("Input"):
        return str(target["Input"])
    if path := target.get("InputPath"):
        found = _find(path, event)
        return json.dumps({} if found is _ABSENT else found)
    if transformer := target.get("InputTransformer"):
        return _fill(transformer["InputTemplate"], transformer.get("InputPathsMap") or {}, event, rule)
    return json.dumps(event)


def check_input(target: dict[str, Any]) -> None:
    """Raise an ApiError for a target whose input cannot be made."""
    given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
    if len(given) > 1:
        raise ApiError(
            "ValidationException", f"Only one of {' and '.join(given)} may be given for target {target['Id']}."
        )
    paths = [target["InputPath"]] if target.get("InputPath") else []
    paths += ((target.get("InputTransformer") or {}).get("InputPathsMap") or {}).values()
    for path in paths:
        if _PATH.fullmatch(path) is None:
            problem = "the sandbox reads paths such as $.detail.state and $.resources[0]"
            raise ApiError("ValidationException", f"Invalid path {path} for target {target['Id']}: {problem}.")


def _fill(template: str, paths: dict[str, str], event: dict[str, Any], rule: str) -> str:
    """Within a quoted text a value stands as it is, elsewhere in the template as JSON."""
    values = {name: _find(path, event) for name, path in paths.items()}
    values |= {
        "aws.events.rule-arn": rule,
        "aws.events.rule-name": rule.rpartition("/")[2],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event.json": event,
        "aws.events.event": event,
    }
    made, position = [], 0
    for slot in _SLOT.finditer(template):
        if slot[1] not in values:
            continue
        made.append(template[position : slot.start()])
        made.append(_text(values[slot[1]], quoted=_is_quoted("".join(made))))
        position = slot.end()
    return "".join(made) + template[position:]


def _is_quoted(before: str) -> bool:
    return len(re.findall(r'(?<!\\)"', before)) % 2 == 1


def _text(value: Any, *, quoted: bool) -> str:
    if value is _ABSENT:
        return "" if quoted else '""'
    if not quoted:
        return json.dumps(value)
    return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]


def _find(path: str, event: Any) -> Any:
    for name, index in _STEP.findall(path):
        try:
            event = event[name] if name else event[int(index)]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return event
