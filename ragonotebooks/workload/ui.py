"""The UI: `python -m workload.ui` serves `page.py` with Streamlit at PORT (8501).

It needs API_URL and API_KEY; where the API is a private service of Cloud Run, API_AUDIENCE too, which is that service's
address. Its health check is Streamlit's own, `/_stcore/health`.
"""

import os
import sys
from pathlib import Path

OPTIONS = {
    "server.address": "0.0.0.0",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    # behind a load balancer the page's own name is not known here, and no cookie of ours grants anything
    "server.enableCORS": "false",
    "server.enableXsrfProtection": "false",
    "browser.gatherUsageStats": "false",
    "browser.serverAddress": "localhost",  # else Streamlit asks a server on the internet for this machine's address
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "none",
}


def main() -> None:
    """Become Streamlit's server, so that SIGTERM reaches it."""
    for name in ("API_URL", "API_KEY"):
        if not os.environ.get(name, "").strip():
            sys.exit(f"The environment variable {name} is not set: the UI asks the API there, with that key.")
    flags = [f"--{name}={value}" for name, value in OPTIONS.items()]
    port = f"--server.port={os.environ.get('PORT') or 8501}"
    os.execv(
        sys.executable,
        [sys.executable, "-m", "streamlit", "run", str(Path(__file__).with_name("page.py")), port, *flags],
    )


if __name__ == "__main__":
    main()
