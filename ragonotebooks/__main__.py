"""`python -m ragonotebooks` is the `ragonotebooks` command."""

from ragonotebooks.cli import main

main()
