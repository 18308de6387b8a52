"""What the runbooks of day two share: the deployed API as an operator asks it, and the parts of a deployment on Cloud Run."""
