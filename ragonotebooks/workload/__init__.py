"""The part of Ragonometrics that is deployed: migrations, the index job, search and evaluation.

It stands alone: it imports nothing else of this project and is copied into an image as the package `workload`.
Each job is a module to run (`python -m workload.migrate`, `.index`, `.search "question"`, `.evaluate`), takes its
settings from the environment only (`settings.py`), and writes JSON log lines to standard output.
"""
