"""Begins lessons and runbooks: small ones that work, to be rewritten step by step."""
