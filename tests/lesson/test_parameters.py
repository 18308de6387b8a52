"""What a parameters cell declares is checked in a kernel too, whoever runs the cell."""

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ragonotebooks.errors import UsageError
from ragonotebooks.lesson.parameters import check_parameters

CELL = """\
from typing import Annotated, Literal

from ragonotebooks import Between, Corpus, Deployment, Matching, Region, Secret, Target

target: Target = "sandbox"
region: Region = "us-east-1"
name: Deployment = "ragonometrics"
corpus: Corpus = "data/papers"
workers: Between[1, 10] = 2
share: Between[0.0, 1.0] = 1
tier: Literal["small", "large"] = "small"
account: Annotated[str, Matching("[0-9]{12}")] = "012345678901"
key: Secret = "env:API_KEY"
plain: int = 1
others: list[int] = []
"""


@pytest.fixture
def kernel() -> dict[str, Any]:
    """The variables of a kernel in which the cell was run."""
    shell = InteractiveShell()
    shell.run_cell(CELL).raise_error()
    return shell.user_ns


def test_the_cell_runs_alone_and_holds_what_it_declares(kernel: dict[str, Any]) -> None:
    assert (kernel["workers"], kernel["account"], kernel["key"]) == (2, "012345678901", "env:API_KEY")
    check_parameters(kernel)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("workers", 11, "parameter 'workers' is 11 but must be 1 to 10"),
        ("workers", "2", "parameter 'workers' is '2' but must be 1 to 10"),
        ("workers", True, "parameter 'workers' is True but must be 1 to 10"),
        ("workers", ..., "parameter 'workers' is required; give it with -p workers=VALUE: 1 to 10"),
        ("tier", "larg", "parameter 'tier' is 'larg' but must be small or large; did you mean 'large'?"),
        ("target", "clud", "parameter 'target' is 'clud' but must be sandbox or cloud; did you mean 'cloud'?"),
        ("account", 12345678901, "parameter 'account' is 12345678901 but must be text that matches [0-9]{12}"),
        ("name", "My Papers", "parameter 'name' is 'My Papers' but must be up to 32 lower-case letters"),
        ("key", "correct-horse", "parameter 'key' takes a reference to a secret"),
    ],
)
def test_what_was_injected_or_typed_is_checked(kernel: dict[str, Any], name: str, value: Any, sentence: str) -> None:
    kernel[name] = value
    with pytest.raises(UsageError) as raised:
        check_parameters(kernel)
    assert str(raised.value).startswith(sentence)
    assert "horse" not in str(raised.value)


def test_a_plain_annotation_binds_nothing(kernel: dict[str, Any]) -> None:
    kernel["plain"] = "text"
    check_parameters(kernel)


def test_a_namespace_without_annotations_is_no_notebook() -> None:
    check_parameters({"workers": 11})
