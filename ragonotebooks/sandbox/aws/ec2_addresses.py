"""Addresses in subnets."""

import ipaddress
from typing import Any, Final

_RESERVED: Final = 4  # the first addresses of a subnet are AWS's own


def free_address(backend: Any, subnet: str) -> str | None:
    """Return the lowest address of a subnet that no network interface has, None when there is none."""
    block = ipaddress.ip_network(backend.get_subnet(subnet).cidr_block)
    taken = {interface.private_ip_address for interface in backend.enis.values() if interface.subnet.id == subnet}
    addresses = (str(block[number]) for number in range(_RESERVED, block.num_addresses - 1))
    return next((address for address in addresses if address not in taken), None)
