"""What Cloud Logging keeps, how it is filtered, and how the lines of programs become entries."""
