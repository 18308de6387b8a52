"""What a piece of Python needs and what it leaves behind."""

import pytest

from ragonotebooks.catalog.names import names

CASES = [
    ("x = y + 1", {"y"}, {"x"}),
    ("x = x + 1", {"x"}, {"x"}),
    ("x += 1", {"x"}, {"x"}),
    ("x: int", set(), set()),
    ("print(len([1]))", set(), set()),
    ("[p.name for p in papers if p]", {"papers"}, set()),
    ("{k: v for k, v in pairs}", {"pairs"}, set()),
    ("{p for p in ps}, sum(q for q in qs)", {"ps", "qs"}, set()),
    ("for p in p: use(p)", {"p", "use"}, {"p"}),
    ("def f(a, *b, c=d, **e):\n    g = a\n    return g, b, c, e, h", {"d", "h"}, {"f"}),
    ("f = lambda a: a + b", {"b"}, {"f"}),
    ("import os.path, json as j\nfrom a import b", set(), {"os", "j", "b"}),
    ("with open(p) as f: f.read()", {"p"}, {"f"}),
    ("try: x\nexcept E as e: e", {"x", "E"}, {"e"}),
    ("class C(B):\n    y = 1\n    z = y", {"B"}, {"C"}),
    ("(n := 3) + n", set(), {"n"}),
    ("match m:\n    case {'a': a, **rest}: a, rest\n    case [b, *c]: b, c", {"m"}, {"a", "rest", "b", "c"}),
    ("d['k'] = o.attribute", {"d", "o"}, set()),
    ("f'{a!r:>{w}}'", {"a", "w"}, set()),
]


@pytest.mark.parametrize(("source", "needed", "bound"), CASES, ids=[source for source, *_ in CASES])
def test_names_follow_the_order_of_execution(source: str, needed: set[str], bound: set[str]) -> None:
    found = names(source)
    assert (found.needed, found.bound) == (needed, bound)


def test_code_that_is_not_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        names("%matplotlib inline")
