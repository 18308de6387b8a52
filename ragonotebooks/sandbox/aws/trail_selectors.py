"""Which events a trail wants: its event selectors, basic and advanced, read as data.

Source: AWS CloudTrail API reference, "EventSelector" and "AdvancedFieldSelector", read 2026-11. Of data events, those of S3
objects can be selected; other types are refused.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.trail_records import Record

Selector = Mapping[str, Any]
#: What a trail selects that nobody has told what to select.
DEFAULT: Final[Selector] = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}
_OBJECTS: Final = "AWS::S3::Object"
_EVERYTHING: Final = ("arn:aws:s3", "arn:aws:s3:::")
_OPERATORS: Final[Mapping[str, tuple[Callable[[str, str], bool], bool]]] = {
    "Equals": (str.__eq__, True),
    "StartsWith": (str.startswith, True),
    "EndsWith": (str.endswith, True),
    "NotEquals": (str.__eq__, False),
    "NotStartsWith": (str.startswith, False),
    "NotEndsWith": (str.endswith, False),
}
_FIELDS: Final[Mapping[str, Callable[[Record], str]]] = {
    "eventCategory": lambda record: str(record["eventCategory"]),
    "eventName": lambda record: str(record["eventName"]),
    "eventSource": lambda record: str(record["eventSource"]),
    "readOnly": lambda record: str(record["readOnly"]).lower(),
    "resources.type": lambda record: _OBJECTS if record["eventSource"] == "s3.amazonaws.com" else "",
    "resources.ARN": lambda record: next((str(one["ARN"]) for one in record.get("resources", [])), ""),
    "userIdentity.arn": lambda record: str(record["userIdentity"].get("arn", "")),
}


def check(basic: list[Selector], advanced: list[Selector]) -> None:
    """Raise an ApiError for selectors that cannot be followed."""
    if bool(basic) == bool(advanced):
        raise _wrong("give either EventSelectors or AdvancedEventSelectors")
    for problem in (*map(_problem_of_basic, basic), *(one for each in advanced for one in _problems(each))):
        if problem:
            raise _wrong(problem)


def selects(basic: list[Selector], advanced: list[Selector], record: Record) -> bool:
    """Whether a trail with these selectors writes a record down."""
    if advanced:
        return any(all(_matches(field, record) for field in one["FieldSelectors"]) for one in advanced)
    return any(_selects(one, record) for one in basic or [DEFAULT])


def _selects(selector: Selector, record: Record) -> bool:
    kind = selector.get("ReadWriteType", "All")
    if kind != "All" and record["readOnly"] != (kind == "ReadOnly"):
        return False
    if record["managementEvent"]:
        excluded = selector.get("ExcludeManagementEventSources") or []
        return bool(selector.get("IncludeManagementEvents", True)) and record["eventSource"] not in excluded
    arn = _FIELDS["resources.ARN"](record)
    values = [value for one in selector.get("DataResources") or [] for value in one.get("Values") or []]
    return record["eventSource"] == "s3.amazonaws.com" and any(_covers(value, arn) for value in values)


def _covers(value: str, arn: str) -> bool:
    """A bucket is written with a slash at its end, which its own ARN has not."""
    return value in _EVERYTHING or f"{arn}/".startswith(value)


def _matches(field: Mapping[str, Any], record: Record) -> bool:
    actual = _FIELDS[field["Field"]](record)
    for name, (test, wanted) in _OPERATORS.items():
        values = field.get(name)
        if values and any(test(actual, value) for value in values) != wanted:
            return False
    return True


def _problem_of_basic(selector: Selector) -> str:
    types = {one.get("Type") for one in selector.get("DataResources") or []}
    return f"data events of {types - {_OBJECTS}} are not supported by the sandbox" if types - {_OBJECTS} else ""


def _problems(selector: Selector) -> Iterator[str]:
    fields = {one["Field"]: one for one in selector["FieldSelectors"]}
    if set(fields.get("eventCategory", {}).get("Equals", [])) not in ({"Management"}, {"Data"}):
        yield "each selector names eventCategory, Management or Data"
    for name in fields.keys() - _FIELDS.keys():
        yield f"the field {name} is not supported by the sandbox"
    data = fields.get("eventCategory", {}).get("Equals") == ["Data"]
    if data and fields.get("resources.type", {}).get("Equals") != [_OBJECTS]:
        yield f"a selector of data events has resources.type {_OBJECTS}; others are not supported by the sandbox"


def _wrong(problem: str) -> ApiError:
    return ApiError("InvalidEventSelectorsException", f"The event selectors are not valid: {problem}.")
