"""Cases that runbooks are tested with: read from `runbooks/tests`, judged by what their runs did."""
