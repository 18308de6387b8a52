"""Files of cases: what stands in one, and the sentence that says what is wrong with one."""

from pathlib import Path

import pytest

from ragonotebooks.catalog import project, runbook
from ragonotebooks.errors import UsageError
from ragonotebooks.trial.cases import ApiCall, Kill, Refuse, Trial
from ragonotebooks.trial.reading import read
from tests.catalog import lessons

CASES = """\
before: [aws/01-floor]
cases:
  - case: the shelf is closed
    parameters: {copies: 3, dry: false, region: us-east-1}
    mode: verify
    faults:
      - refuse: s3:PutObject
        error: AccessDenied
        times: 2
      - kill: rds/*
      - call: ecs:UpdateService
        with: {cluster: shelf, desiredCount: 1}
    status: failed
    steps:
      aws/02-shelf · 1: passed
      aws/02-shelf · 2: failed
    calls: none
    says: [nobody takes a paper]
    after:
      - call: ecs:UpdateService
        with: {cluster: shelf, desiredCount: 2}
    cleanup: true

  - case: too many copies
    parameters: {copies: 012}
    status: refused
"""


def shelf(checkout: Path, text: str = CASES, book: str = lessons.RUNBOOK) -> Trial:
    lessons.write_good(checkout)
    lessons.write_runbook(checkout, "shelf", book)
    project.trials().mkdir(exist_ok=True)
    (project.trials() / "shelf.yaml").write_text(text, encoding="utf-8")
    return read(runbook.load("shelf"))


def test_a_case_says_what_is_done_and_what_must_come_of_it(checkout: Path) -> None:
    trial = shelf(checkout)
    assert [one.name for one in trial.before] == ["aws/01-floor"]
    case, _ = trial.cases
    assert (case.name, case.mode, case.status, case.cleanup) == ("the shelf is closed", "verify", "failed", True)
    assert case.faults == (
        Refuse("s3:PutObject", "AccessDenied", 2),
        Kill("rds/*"),
        ApiCall("ecs", "UpdateService", {"cluster": "shelf", "desiredCount": 1}),
    )
    assert case.steps == {("aws/02-shelf", 1): "passed", ("aws/02-shelf", 2): "failed"}
    assert (case.calls, case.says, len(case.after)) == ((), ("nobody takes a paper",), 1)


def test_what_is_left_out_is_not_asked_for(checkout: Path) -> None:
    _, case = shelf(checkout).cases
    assert (case.mode, case.faults, case.calls, case.steps, case.says, case.cleanup) == ("run", (), None, {}, (), False)


def test_values_are_kept_as_they_are_written(checkout: Path) -> None:
    first, second = shelf(checkout).cases
    assert first.parameters == {"copies": "3", "dry": "false", "region": "us-east-1"}
    assert second.parameters == {"copies": "012"}


def test_a_call_of_google_cloud_is_a_request(checkout: Path) -> None:
    call = "call: DELETE https://run.googleapis.com/v2/x"
    text = CASES.replace("call: ecs:UpdateService", call).replace("AccessDenied", "PERMISSION_DENIED")
    case, _ = shelf(checkout, text, lessons.RUNBOOK.replace("cloud: aws", "cloud: gcp")).cases
    assert case.after[0] == ApiCall(
        "https://run.googleapis.com/v2/x", "DELETE", {"cluster": "shelf", "desiredCount": 2}
    )


def test_a_runbook_without_cases_is_told_where_they_go(checkout: Path) -> None:
    lessons.write_good(checkout)
    lessons.write_runbook(checkout, "shelf", lessons.RUNBOOK)
    with pytest.raises(
        UsageError, match=r"shelf has no cases to be tested with; write them in runbooks/tests/shelf\.yaml"
    ):
        read(runbook.load("shelf"))


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        (CASES, "cases: [", "cannot be read as YAML"),
        (CASES, "- just\n- a list", "is not a file of cases; it needs the fields cases"),
        ("before: [aws/01-floor]", "befor: []", "has an unknown field 'befor'; did you mean 'before'?"),
        (
            "before: [aws/01-floor]",
            "before: [aws/01-flor]",
            "no runbook or notebook 'aws/01-flor'; did you mean 'aws/01-floor'",
        ),
        ("before: [aws/01-floor]", "before: aws/01-floor", "'before' is no list; write one `- …` a line"),
        ("    status: refused\n", "", "has no field 'status'; a case needs case, status"),
        ("status: refused", "status: refussed", "status 'refussed' is not known; did you mean 'refused'?"),
        ("mode: verify", "mode: verfy", "mode 'verfy' is not known; did you mean 'verify'?"),
        ("{copies: 012}", "{copiez: 012}", "parameters 'copiez' is not known; did you mean 'copies'?"),
        ("{copies: 012}", "{copies: [1]}", "parameter 'copies' is neither text, a number, true nor false"),
        ("{copies: 012}", "{target: cloud}", "target is 'cloud', but cases run in sandboxes; leave it out"),
        ("{copies: 012}", "[copies]", "'parameters' is no mapping of names to values"),
        ("aws/02-shelf · 2: failed", "aws/02-shelf · 3: failed", "steps 'aws/02-shelf · 3' is not known; did you mean"),
        (
            "aws/02-shelf · 2: failed",
            "aws/02-shelf · 2: refused",
            "steps 'refused' is not known; known are blocked, failed",
        ),
        ("refuse: s3:PutObject", "reffuse: s3:PutObject", "faults 'reffuse' is not known; did you mean 'refuse'?"),
        ("        error: AccessDenied\n", "", "has no field 'error'; a refusal needs refuse, error"),
        ("times: 2", "times: 0", "has 'times: 0'; write how many calls fail, or leave it out for all"),
        ("times: 2", "time: 2", "has an unknown field 'time'; did you mean 'times'?"),
        ("call: ecs:UpdateService", "call: update the service", "is no call; write `call: ecs:UpdateService`"),
        ("says: [nobody takes a paper]", "says: nobody", "'says' is no list"),
        ("says: [nobody takes a paper]", "says: [404]", "'says' holds 404, which is no text; put it in quotes"),
        ("cleanup: true", "cleanup: maybe", "cleanup 'maybe' is not known; known are false, true"),
        ("case: too many copies", "case: the shelf is closed", "has two cases 'the shelf is closed'"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(checkout: Path, right: str, wrong: str, problem: str) -> None:
    assert CASES.count(right) >= 1
    with pytest.raises(UsageError) as raised:
        shelf(checkout, CASES.replace(right, wrong))
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_error_that_google_cloud_does_not_know_is_refused(checkout: Path) -> None:
    text = "cases:\n- case: a\n  status: failed\n  faults: [{refuse: a:B, error: PERMISION_DENIED}]\n"
    with pytest.raises(UsageError, match="error 'PERMISION_DENIED' is not known; did you mean 'PERMISSION_DENIED'"):
        shelf(checkout, text, lessons.RUNBOOK.replace("cloud: aws", "cloud: gcp"))
