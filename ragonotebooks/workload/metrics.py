"""Metrics in CloudWatch's embedded metric format: a log line that is also a measurement.

CloudWatch Logs reads the numbers out of the line, so nothing else has to be called or allowed; elsewhere it is a log
line like any other. Format: "Specification: Embedded metric format", Amazon CloudWatch User Guide, 2026-11.
"""

import time
from collections.abc import Sequence
from typing import Any

from . import logs

NAMESPACE = "Ragonometrics"


def log(event: str, values: dict[str, tuple[float, str]], by: Sequence[Sequence[str]], **fields: Any) -> None:
    """Log `event` with measurements.

    `values` gives each metric's value and CloudWatch's unit. `by` lists sets of fields: each set is a series of its
    own, and each field that it names must be among `fields`.
    """
    told = {
        "Timestamp": time.time_ns() // 1_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [list(names) for names in by],
                # by the second, so that an alarm can look every ten seconds
                "Metrics": [{"Name": name, "Unit": unit, "StorageResolution": 1} for name, (_, unit) in values.items()],
            }
        ],
    }
    logs.info(event, **fields, **{name: value for name, (value, _) in values.items()}, _aws=told)
