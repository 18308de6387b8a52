"""Watches a project: alert policies are evaluated and uptime checks run, about once a second, while there are any."""

import sys
import threading
import time
import traceback
from typing import Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.metrics.alerts import Alerts
from ragonotebooks.sandbox.gcp.metrics.uptime import UptimeChecks

_SECONDS_BETWEEN: Final = 1.0


class Watch:
    """A thread that rests while there is nothing to watch.

    Args:
        cloud: The cloud.
        alerts: The alerts.
        checks: The uptime checks.
    """

    def __init__(self, cloud: Cloud, alerts: Alerts, checks: UptimeChecks) -> None:
        self._cloud, self._alerts, self._checks = cloud, alerts, checks
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Take notice of a policy or check that was made or changed. The caller holds the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="monitoring", daemon=True)
            self._thread.start()
        self._wanted.set()

    def look(self) -> None:
        """Bring alerts up to date. The caller holds the lock."""
        self._alerts.evaluate(time.time_ns())

    def _run(self) -> None:
        while True:
            with self._cloud.context.lock:
                try:
                    checked = self._checks.run(time.time_ns())
                    self.look()
                    if not checked and not any(self._alerts.policies()):
                        self._wanted.clear()
                except Exception:
                    traceback.print_exc(file=sys.stderr)
            self._wanted.wait()
            time.sleep(_SECONDS_BETWEEN)
