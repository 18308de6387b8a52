"""Distributions: histograms in place of many values (google.api.Distribution). Made of values, added up, asked for percentiles."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Final

from google.api import distribution_pb2

from ragonotebooks.sandbox.gcp.errors import unsupported

_Options = distribution_pb2.Distribution.BucketOptions
_Exponential = _Options.Exponential

#: Of a log-based metric that names none. Source: Cloud Logging, "Configure distribution metrics", read 2026-11.
DEFAULT_BUCKETS: Final = _Options(
    exponential_buckets=_Exponential(num_finite_buckets=64, growth_factor=2.0, scale=0.01)
)
#: Of latencies in milliseconds.
LATENCIES: Final = _Options(exponential_buckets=_Exponential(num_finite_buckets=100, growth_factor=1.2, scale=1.0))


def of_value(value: float, buckets: Any) -> Any:
    """The distribution of one value."""
    bounds = _bounds(buckets)
    counts = [0] * (len(bounds) + 1)
    counts[bisect_right(bounds, value)] = 1
    made = distribution_pb2.Distribution(count=1, mean=value, bucket_counts=counts)
    made.bucket_options.CopyFrom(buckets)
    return made


def total(parts: Iterable[Any]) -> Any:
    """The distribution of all values that some distributions are made of.

    Raises:
        ApiError: Their buckets are not the same.
    """
    first, *others = parts
    whole = distribution_pb2.Distribution()
    whole.CopyFrom(first)
    for one in others:
        _add(whole, one)
    return whole


def _add(whole: Any, one: Any) -> None:
    if whole.bucket_options != one.bucket_options:
        raise unsupported("adding up distributions with different buckets")
    count = whole.count + one.count
    if not count:
        return
    apart = (one.mean - whole.mean) ** 2 * whole.count * one.count / count
    whole.sum_of_squared_deviation += one.sum_of_squared_deviation + apart
    whole.mean = (whole.mean * whole.count + one.mean * one.count) / count
    whole.count = count
    whole.bucket_counts.extend([0] * (len(one.bucket_counts) - len(whole.bucket_counts)))
    for index, more in enumerate(one.bucket_counts):
        whole.bucket_counts[index] += more


def percentile(distribution: Any, percent: float) -> float:
    """The value below which `percent` per cent of all values are, as well as the buckets can tell."""
    bounds = _bounds(distribution.bucket_options)
    if not distribution.bucket_counts or not bounds:
        return float(distribution.mean)
    wanted, before = distribution.count * percent / 100, 0
    for index, count in enumerate(distribution.bucket_counts):
        if count and before + count >= wanted:
            low = bounds[index - 1] if index else min(0.0, bounds[0])
            high = bounds[index] if index < len(bounds) else bounds[-1]
            return float(low + (high - low) * (wanted - before) / count)
        before += count
    return bounds[-1]


def _bounds(options: Any) -> list[float]:
    """Where the finite buckets begin and end."""
    kind = options.WhichOneof("options")
    if kind == "explicit_buckets":
        return list(options.explicit_buckets.bounds)
    if kind == "linear_buckets":
        linear = options.linear_buckets
        return [linear.offset + linear.width * index for index in range(linear.num_finite_buckets + 1)]
    if kind == "exponential_buckets":
        power = options.exponential_buckets
        return [power.scale * power.growth_factor**index for index in range(power.num_finite_buckets + 1)]
    return []
