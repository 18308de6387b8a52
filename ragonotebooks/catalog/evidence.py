"""The records that a lesson leaves in its outputs: reports and coverage are read from these, never from prose."""

from typing import Final

CHECK_MIME: Final = "application/vnd.ragonotebooks.check+json"
"""`{"claim": text, "passed": bool, "expected": text, "actual": text}`"""

PRICE_MIME: Final = "application/vnd.ragonotebooks.price+json"
"""`{"lines": [{"service", "item", "unit", "usd", "quantity", "month"}], "month": total in US dollars}`"""
