"""Reads what a runbook is tested with: `runbooks/tests/NAME.yaml` holds the cases of `runbooks/NAME.yaml`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import yaml

from ragonotebooks.catalog import project, runbook, yaml_file
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.errors import UsageError
from ragonotebooks.run.results import Mode, Status
from ragonotebooks.trial.cases import STATUSES, ApiCall, Case, Kill, Refuse, Trial

_CASE = ("case", "status")
_OPTIONAL = ("parameters", "mode", "faults", "steps", "calls", "says", "after", "cleanup")
_AWS_CALL = re.compile(r"([a-z0-9-]+):([A-Z]\w+)")
_GCP_CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (https://[a-z]+\.googleapis\.com/\S+)")
_FORMS = {
    "aws": "write `call: ecs:UpdateService`, as boto3 names the service and AWS the operation",
    "gcp": "write `call: POST https://HOST.googleapis.com/PATH`",
}
# google.rpc.Code, without what tells that a call succeeded
_GCP_ERRORS = frozenset(
    {
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
    }
    | {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"}
    | {"INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


def read(book: Runbook) -> Trial:
    """What a runbook of the checkout is tested with; a UsageError names the file and what is wrong with it."""
    path = project.trials() / f"{book.name}.yaml"
    where = project.shown(path)
    if not path.is_file():
        raise UsageError(f"{book.name} has no cases to be tested with; write them in {where}")
    data = yaml_file.fields(where, "a file of cases", yaml_file.load(path), ("cases",), ("before",))
    before = tuple(map(runbook.load, _texts(f"{where}: 'before'", data.get("before", []))))
    listed = _list(f"{where}: 'cases'", data["cases"])
    # what a parameter's value is, its declaration decides: YAML would take 012345670123 for an octal number
    words = yaml_file.load(path, yaml.BaseLoader)["cases"]
    cases = tuple(_Reader(book, where, one).case(text) for one, text in zip(listed, words, strict=True))
    for case in cases:
        if [one.name for one in cases].count(case.name) > 1:
            raise UsageError(f"{where} has two cases '{case.name}'; give each a name of its own")
    return Trial(book, before, cases)


class _Reader:
    """Reads one case of a file."""

    def __init__(self, book: Runbook, where: str, data: Any) -> None:
        self._book = book
        self._data = yaml_file.fields(f"a case in {where}", "a case", data, _CASE, _OPTIONAL)
        self._where = f"{where}: case '{data['case']}'"

    def case(self, text: Mapping[str, Any]) -> Case:
        """The case; `text` is the same as it is written there."""
        data = self._data
        return Case(
            name=str(data["case"]),
            parameters=self._parameters(text.get("parameters", {})),
            mode=self._one_of("mode", data.get("mode", "run"), get_args(Mode)),
            faults=tuple(self._faults(data.get("faults", []))),
            status=self._one_of("status", data["status"], STATUSES),
            steps=dict(self._steps(data.get("steps", {}))),
            calls=self._calls(data.get("calls")),
            says=_texts(f"{self._where}: 'says'", data.get("says", [])),
            after=tuple(self._call("after", one) for one in _list(f"{self._where}: 'after'", data.get("after", []))),
            cleanup=self._one_of("cleanup", data.get("cleanup", False), (True, False)),
        )

    def _parameters(self, given: Any) -> dict[str, str]:
        known = [parameter.name for parameter in self._book.parameters]
        for name, value in self._mapping("parameters", given).items():
            self._one_of("parameters", name, known)
            if not isinstance(value, str):
                raise UsageError(f"{self._where}: parameter '{name}' is neither text, a number, true nor false")
        if given.get("target", "sandbox") != "sandbox":
            raise UsageError(f"{self._where}: target is '{given['target']}', but cases run in sandboxes; leave it out")
        return dict(given)

    def _steps(self, given: Any) -> Iterator[tuple[tuple[str, int], str]]:
        steps = {
            f"{one.key} · {step.number}": (one.key, step.number) for one in self._book.notebooks for step in one.steps
        }
        for label, status in self._mapping("steps", given).items():
            yield steps[self._one_of("steps", label, steps)], self._one_of("steps", status, tuple(Status))

    def _calls(self, given: Any) -> tuple[str, ...] | None:
        if given is None:
            return None
        return () if given == "none" else _texts(f"{self._where}: 'calls'", given)

    def _faults(self, given: Any) -> Iterator[Refuse | Kill | ApiCall]:
        for one in _list(f"{self._where}: 'faults'", given):
            kind = next(iter(self._mapping("faults", one)), "")
            match self._one_of("faults", kind, ("refuse", "kill", "call")):
                case "refuse":
                    yield self._refuse(one)
                case "kill":
                    yield Kill(str(yaml_file.fields(f"{self._where}: a fault", "a kill", one, ("kill",))["kill"]))
                case _:
                    yield self._call("faults", one)

    def _refuse(self, given: Any) -> Refuse:
        where = f"{self._where}: a fault"
        data = yaml_file.fields(where, "a refusal", given, ("refuse", "error"), ("times",))
        times = data.get("times")
        if times is not None and not (type(times) is int and times > 0):
            raise UsageError(f"{where} has 'times: {times}'; write how many calls fail, or leave it out for all")
        if self._book.cloud == "gcp":
            self._one_of("error", data["error"], _GCP_ERRORS)
        return Refuse(str(data["refuse"]), str(data["error"]), times)

    def _call(self, field: str, given: Any) -> ApiCall:
        where = f"{self._where}: '{field}'"
        data = yaml_file.fields(where, "a call", given, ("call",), ("with",))
        found = (_AWS_CALL if self._book.cloud == "aws" else _GCP_CALL).fullmatch(str(data["call"]))
        if found is None:
            raise UsageError(f"{where}: '{data['call']}' is no call; {_FORMS[self._book.cloud]}")
        service, operation = found.groups() if self._book.cloud == "aws" else reversed(found.groups())
        return ApiCall(service, operation, data.get("with", {}))

    def _mapping(self, field: str, given: Any) -> Mapping[Any, Any]:
        if not isinstance(given, Mapping):
            raise UsageError(f"{self._where}: '{field}' is no mapping of names to values")
        return given

    def _one_of(self, field: str, given: Any, known: Any) -> Any:
        if given not in known:
            names = sorted(str(one).lower() if isinstance(one, bool) else str(one) for one in known)
            raise UsageError(f"{self._where}: {field} '{given}' is not known; {did_you_mean(str(given), names)}")
        return given


def _list(where: str, given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise UsageError(f"{where} is no list; write one `- …` a line")
    return given


def _texts(where: str, given: Any) -> tuple[str, ...]:
    for one in _list(where, given):
        if not isinstance(one, str):
            raise UsageError(f"{where} holds {one!r}, which is no text; put it in quotes")
    return tuple(given)
