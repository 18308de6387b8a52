"""The part of Ragonometrics that is deployed: the API, the UI, the worker and the jobs.

It stands alone: it imports nothing else of this project and is copied into an image as the package `workload`.
Each is a module to run (`python -m workload.api`, `.ui`, `.worker`; `.migrate`, `.index`, `.search "question"`,
`.evaluate`), takes its settings from the environment only (`settings.py`), and writes JSON log lines to standard output.
"""
