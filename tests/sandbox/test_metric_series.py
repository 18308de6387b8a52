"""Series of metrics: statistics, percentiles and metric math."""

import pytest

from ragonotebooks.sandbox.aws.metric_queries import QueryError, answer
from ragonotebooks.sandbox.aws.series import Sample, statistic
from tests.sandbox.metrics import METRIC, START, query, series_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SampleCount", 5),
        ("Sum", 110),
        ("Average", 22),
        ("Minimum", 1),
        ("Maximum", 100),
        ("p50", 3),
        ("p0", 1),
        ("p100", 100),
        ("p90", 61.6),
        ("p99.9", 99.616),
    ],
)
def test_statistics(name: str, expected: float) -> None:
    samples = [Sample.of(START, value) for value in (100, 1, 3, 4, 2)]
    assert statistic(name)(samples) == pytest.approx(expected)


def test_percentile_counts_repeated_values() -> None:
    assert statistic("p50")([Sample.of(START, 1, count=3), Sample.of(START, 9, count=2)]) == 1


def test_percentile_of_values_known_by_their_sum_alone_does_not_exist() -> None:
    assert statistic("p50")([Sample(START, 3, 12, 1, 8)]) is None
    assert statistic("p50")([Sample(START, 3, 12, 4, 4)]) == 4


@pytest.mark.parametrize("name", ["tm99", "p101", "P50", "Median"])
def test_other_statistics_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        statistic(name)


def test_late_samples_take_their_place() -> None:
    found = series_of((20, 3), (0, 1), (10, 2))[METRIC]
    assert found.points(statistic("Sum"), 10, START, START + 20) == {START: 1, START + 10: 2}


def test_metrics_of_standard_resolution_are_kept_by_the_minute() -> None:
    found = series_of((15, 1), (45, 1), resolution=60)[METRIC]
    assert found.points(statistic("Sum"), 10, START, START + 60) == {START: 2}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 * 2", {0: 4.0, 10: 12.0}),
        ("100 * m1 / (m1 + m2)", {0: 200 / 3, 10: 600 / 8}),
        ("m1 - m1", {0: 0.0, 10: 0.0}),
        ("m1 / (m1 - 2)", {10: 1.5}),
        ("-m1", {0: -2.0, 10: -6.0}),
        ("SUM([m1, m2])", {0: 3.0, 10: 8.0}),
        ("MAX([m1, m2])", {0: 2.0, 10: 6.0}),
        ("SUM(m1)", {0: 8.0, 10: 8.0, 20: 8.0}),
        ("FILL(m1, 0)", {0: 2.0, 10: 6.0, 20: 0.0}),
        ("m1 / PERIOD(m1)", {0: 0.2, 10: 0.6}),
        ("CEIL(m1 / 4)", {0: 1.0, 10: 2.0}),
    ],
)
def test_metric_math(expression: str, expected: dict[int, float]) -> None:
    series = series_of((0, 2), (10, 5), (11, 1))
    asked = [query("m1"), query("m2", "SampleCount"), {"Id": "e", "Expression": expression}]
    points = answer(series, asked, START, START + 30)["e"].points
    assert points == {START + at: pytest.approx(value) for at, value in expected.items()}


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("SELECT AVG(x) FROM y", "Metrics Insights"),
        ("ANOMALY_DETECTION_BAND(m1)", "ANOMALY_DETECTION_BAND"),
        ("m1 +", "malformed"),
        ("m9 + 1", "m9"),
        ("e + 1", "e"),
        ("[m1, m1]", "several series"),
    ],
)
def test_other_math_is_refused_by_name(expression: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        answer({}, [query("m1"), {"Id": "e", "Expression": expression}], START, START + 30)
