"""What makes a cloud run a runbook regularly, as commands for a person to read and paste; nothing here executes them."""
