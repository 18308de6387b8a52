"""The sandbox: a cloud on this machine, real where it matters. It knows nothing of notebooks."""
