"""What a parameters cell declares, and what that means for the values that a run is given."""

import json
import logging
from pathlib import Path

import papermill
import pytest

from ragonotebooks.catalog import notebook, params_file, runbook
from ragonotebooks.catalog.parameters import Parameter
from ragonotebooks.catalog.parameters import read as read_cell
from ragonotebooks.errors import UsageError
from tests.catalog import lessons


def declared(source: str) -> Parameter:
    (parameter,) = read_cell(source)
    return parameter


def book(checkout: Path, source: str) -> runbook.Runbook:
    """A runbook of one notebook with this parameters cell."""
    stored = lessons.good_lesson()
    stored.cells[3].source = source
    stored.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    lessons.write(checkout, "aws/x", stored)
    return runbook.load("aws/x")


@pytest.mark.parametrize(
    ("source", "default", "words"),
    [
        ('title: str = "größer"  # größer als groß', "größer", "text"),
        ("copies: int = -2  # c", -2, "a whole number"),
        ("share: float = 1  # c", 1.0, "a number"),
        ("dry: bool = False  # c", False, "true or false"),
        ('tier: Literal["small", "large"] = "small"  # c', "small", "small or large"),
        ("port: Literal[80, 443] = 443  # c", 443, "80 or 443"),
        ("copies: Between[1, 9] = 2  # c", 2, "1 to 9"),
        ("share: Between[0, 1.5] = 1  # c", 1.0, "0 to 1.5"),
        ('tag: Annotated[str, Matching(r"v\\d+")] = "v1"  # c', "v1", r"text that matches v\d+"),
        ('target: Target = "sandbox"  # c', "sandbox", "sandbox or cloud"),
        ('region: Region = "us-east-1"  # c', "us-east-1", "a region of the cloud"),
        ('corpus: Corpus = "data/papers"  # c', "data/papers", "a folder of papers"),
        ("ticket: str = ...  # c", None, "text"),
        ("wide: Between[\n    1, 9\n] = 2  # c", 2, "1 to 9"),
    ],
)
def test_a_declaration_says_which_values_there_are(source: str, default: object, words: str) -> None:
    parameter = declared(source)
    assert (parameter.default, parameter.form.words, parameter.flaw) == (default, words, "")
    assert type(parameter.default) is type(default)
    assert parameter.comment in ("c", "größer als groß")


@pytest.mark.parametrize(
    ("source", "flaw"),
    [
        ("copies: Between[1, 9] = 10", "its default must be 1 to 9"),
        ("copies: Between[1, 9] = True", "its default must be 1 to 9"),
        ("copies: int = 2.5", "its default must be a whole number"),
        ('copies: int = "2"', "its default must be a whole number"),
        ("copies: int = 1 + 1", "its default must be a whole number"),
        ('tier: Literal["small"] = "smal"', "its default must be small"),
        ("copies: Between[9, 1] = 5", "Between[9, 1] holds no number"),
        ("copies: Between[1] = 5", "'Between[1]' declares no form of value that is known"),
        ('tag: Annotated[str, Matching("(")] = ""', "'(' is no regular expression"),
        ('tag: Annotated[str, "tag"] = ""', "'Annotated[str, 'tag']' declares no form of value that is known"),
        ('tier: Literal["a", 1] = "a"', "the choices of a Literal are of one type"),
        ('key: Secret = "correct-horse-battery"', "its default must be a reference to a secret: secretsmanager:NAME"),
    ],
)
def test_a_declaration_that_cannot_be_used_says_why(checkout: Path, source: str, flaw: str) -> None:
    assert declared(source).flaw.startswith(flaw)
    with pytest.raises(UsageError, match="cannot be used, ") as raised:
        book(checkout, source).bind({})
    assert flaw in str(raised.value)
    assert "horse" not in str(raised.value)


def test_what_is_no_declaration_of_a_parameter_is_left_alone() -> None:
    source = "import os\nnames: list = []\ncount = 3\nbare: int\nsettings: dict[str, str] = {}\n"
    assert list(read_cell(source)) == []


def test_papermill_lists_the_parameters_too(checkout: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = f'{lessons.PARAMETERS}ticket: str = ...  # the change\nkey: Secret = "env:KEY"  # the API\'s key'
    path = book(checkout, source).notebooks[0].path
    found = papermill.inspect_notebook(str(path))
    # a dot or a quote in an annotation is beyond its parser
    ours = [one for one in notebook.read(path).parameters if one.name != "share"]
    assert {name: one["help"] for name, one in found.items()} == {one.name: one.comment for one in ours}
    assert found["copies"]["inferred_type_name"] == "Between[1, 9]"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_values_get_their_parameters_types(checkout: Path) -> None:
    given = {"target": "cloud", "region": "eu-central-1", "copies": "3", "share": "0.5", "dry": "True"}
    bound = book(checkout, lessons.PARAMETERS).bind(given)
    assert bound == {"target": "cloud", "region": "eu-central-1", "copies": 3, "share": 0.5, "dry": True}
    assert [type(value) for value in bound.values()] == [str, str, int, float, bool]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("regoin", "us-east-1", "'aws/x' has no parameter 'regoin'; did you mean 'region'?"),
        ("copies", "two", "parameter 'copies' is 'two' but must be 1 to 9; for example -p copies=2"),
        ("copies", "2.0", "parameter 'copies' is '2.0' but must be 1 to 9; for example -p copies=2"),
        ("copies", "10", "parameter 'copies' is 10 but must be 1 to 9; for example -p copies=2"),
        ("share", "nan", "parameter 'share' is nan but must be 0.0 to 1.0; for example -p share=1.0"),
        ("dry", "yes", "parameter 'dry' is 'yes' but must be true or false; for example -p dry=false"),
        ("region", "us-eats-1", "region 'us-eats-1' does not exist on AWS; did you mean 'us-east-1'?"),
        ("target", "cluod", "parameter 'target' is 'cluod' but must be sandbox or cloud; did you mean 'cloud'?"),
    ],
)
def test_wrong_value_says_what_was_expected(checkout: Path, name: str, value: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        book(checkout, lessons.PARAMETERS).bind({name: value})
    assert str(raised.value) == sentence


def test_a_parameter_without_a_default_has_to_be_given(checkout: Path) -> None:
    one = book(checkout, 'ticket: Annotated[str, Matching("CHG[0-9]+")] = ...  # the change')
    with pytest.raises(UsageError, match="'ticket' is required; give it with -p ticket=VALUE: text that matches CHG"):
        one.bind({})
    assert one.bind({"ticket": "CHG7"}) == {"ticket": "CHG7"}


@pytest.mark.parametrize("name", ["Two Words", "-x", "a" * 33, "", "a--b", "1st", "a\n"])
def test_deployment_name_that_aws_would_refuse_is_refused_first(checkout: Path, name: str) -> None:
    one = book(checkout, 'name: Deployment = "ragonometrics"  # the deployment')
    assert one.bind({"name": "second-one"}) == {"name": "second-one"}
    with pytest.raises(UsageError, match="must be up to 32 lower-case letters"):
        one.bind({"name": name})


PLAIN = ["correct-horse-battery", "admin:hunter-2-hunter", "env:", "env:not a name", "vault:correct-horse", ""]


@pytest.mark.parametrize("value", PLAIN)
def test_the_value_of_a_secret_is_refused_and_not_repeated(checkout: Path, value: str) -> None:
    one = book(checkout, "key: Secret = ...  # the API's key")
    with pytest.raises(
        UsageError, match=r"parameter 'key' takes a reference to a secret: .*, never the value"
    ) as raised:
        one.bind({"key": value})
    assert not any(word in str(raised.value) for word in ("horse", "hunter", "not a name"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "reference",
    [
        "secretsmanager:ragonometrics/api",
        "secretsmanager:arn:aws:secretsmanager:us-east-1:012345678901:secret:api-AbCdEf",
        "secretmanager:ragonometrics-api-key",
        "secretmanager:projects/p/secrets/s/versions/3",
    ],
)
def test_a_reference_stays_a_reference(checkout: Path, reference: str) -> None:
    assert book(checkout, "key: Secret = ...  # the API's key").bind({"key": reference}) == {"key": reference}


def test_a_secret_is_where_its_reference_says_before_anything_starts(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = book(checkout, 'key: Secret = "env:API_KEY"  # the API\'s key')
    monkeypatch.delenv("API_KEY", raising=False)
    with pytest.raises(UsageError, match="the environment variable API_KEY is empty or not set"):
        one.bind({})
    monkeypatch.setenv("API_KEY", "correct-horse-battery")
    assert one.bind({}) == {}
    with pytest.raises(UsageError, match=r"the secret in .*/key\.txt cannot be read"):
        one.bind({"key": "file:key.txt"})
    Path("key.txt").write_text("correct-horse-battery\n", encoding="utf-8")
    assert one.bind({"key": "file:key.txt"}) == {"key": f"file:{checkout / 'key.txt'}"}


ACCOUNT = """\
account: Annotated[str, Matching("[0-9]{12}")] = ...  # the account
dry: bool = True  # only look
share: float = 1  # of it
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.yaml", "account: 012345670123\ndry: false\nshare: 0.5\n"),
        ("p.yml", "{account: '012345670123', dry: False, share: .5}"),
        ("p.json", json.dumps({"account": "012345670123", "dry": False, "share": 0.5})),
    ],
)
def test_a_file_of_parameters_is_read_as_it_is_written(checkout: Path, name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    bound = book(checkout, ACCOUNT).bind(params_file.read(Path(name)))
    assert bound == {"account": "012345670123", "dry": False, "share": 0.5}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("p.yaml", "key: [hunter-2", "p.yaml cannot be read as YAML (line 1)"),
        ("p.yaml", "- hunter-2", "is no mapping of names to values"),
        ("p.yaml", "key:\n  inner: hunter-2", "the value of 'key' is neither text, a number, true nor false"),
        ("p.yaml", "key:", "the value of 'key' is neither text, a number, true nor false"),
        ("p.yaml", "key: hunter-2\nkey: hunter-3", "gives 'key' twice"),
        ("p.json", '{"key": "hunter-2"', "p.json cannot be read as JSON (line 1)"),
        ("p.json", '["hunter-2"]', "is no mapping of names to values"),
        ("p.json", '{"key": null}', "the value of 'key' is neither text, a number, true nor false"),
        ("p.json", '{"key": "hunter-2", "key": "hunter-3"}', "gives 'key' twice"),
        ("p.toml", 'key = "hunter-2"', "give a .yaml, .yml or .json file"),
    ],
)
def test_a_file_that_is_wrong_is_named_and_not_repeated(checkout: Path, name: str, text: str, problem: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        params_file.read(Path(name))
    assert problem in str(raised.value)
    assert "hunter" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_missing_is_named(checkout: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml cannot be read \(No such file"):
        params_file.read(Path("nowhere.yaml"))
