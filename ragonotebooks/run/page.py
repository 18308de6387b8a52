"""The frame that the pages of a run share: one HTML document with its style inside."""

from pathlib import Path
from string import Template

PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style</style>
</head>
<body>
$body
</body>
</html>
"""
)


def style() -> str:
    """The style sheet that all pages share."""
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8")
