"""What a program of an image finds around it on the platform: an address of its own, and variables that lead to the cloud."""

import random
from itertools import count
from pathlib import Path
from typing import Final

from ragonotebooks.sandbox.client import environment
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.parts import inside

# how a program without a network looks from outside (a documentation address, RFC 5737)
PUBLIC: Final = "192.0.2.10"
_NOT_FOR_PROGRAMS: Final = ("AWS_", "BOTO_", "CLOUDSDK_", "GCE_", "GOOGLE_", "NO_GCE_CHECK", "RAGONOTEBOOKS_")


def free_address(context: Context) -> str:
    """Return a loopback address that no program has."""
    taken = {place.loopback for place in context.places.values()}
    addresses = (f"127.{random.randint(128, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}" for _ in count())
    return next(address for address in addresses if address not in taken)


def variables(context: Context, scratch: Path, address: str, metadata: str) -> dict[str, str]:
    """Return the variables that the platform sets for every program.

    Args:
        context: The daemon's shared parts.
        scratch: The program's own folder, which is its home.
        address: Its loopback address.
        metadata: Where it finds the metadata server.
    """
    sandbox = environment(context.state)
    # urllib takes addresses here, and no ranges of them
    direct = f"{sandbox['NO_PROXY']},{address}"
    return {
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        inside.VARIABLE: address,
        **{name: value for name, value in sandbox.items() if not name.startswith(_NOT_FOR_PROGRAMS)},
        **dict.fromkeys(("NO_PROXY", "no_proxy"), direct),
        "GCE_METADATA_HOST": metadata,
        "GCE_METADATA_IP": metadata,
    }
