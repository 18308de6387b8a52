"""Requests at a fixed rate over connections that stay open, whether or not the answers keep up.

A request's time counts from the moment at which it was due, so a server that falls behind is seen to be slow.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

CONNECTIONS = 32
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What a server did with it.

    Attributes:
        rate: Answers a second.
        p50: Milliseconds until an answer was there, the median.
        p95: The same, of 19 in 20 answers.
        failed: How many answers were not 200.
    """

    rate: float
    p50: float
    p95: float
    failed: int


def load(addresses: Sequence[tuple[str, int]], requests: Sequence[bytes], rate: int, seconds: float) -> Load:
    """Send `requests` over and over to all `addresses` alike, `rate` a second in all."""
    return asyncio.run(_load(addresses, requests, rate, seconds))


async def _load(addresses: Sequence[tuple[str, int]], requests: Sequence[bytes], rate: int, seconds: float) -> Load:
    streams = [await asyncio.open_connection(*addresses[number % len(addresses)]) for number in range(CONNECTIONS)]
    asked, begun = cycle(requests), time.perf_counter() + 0.1
    due = ((begun + number / rate, next(asked)) for number in range(int(rate * seconds)))
    answers = [one for some in await asyncio.gather(*(_ask(*stream, due) for stream in streams)) for one in some]
    for _, writer in streams:
        writer.close()
    times = sorted(spent * 1000 for _, spent, _ in answers)
    return Load(
        rate=len(answers) / (max(ended for ended, _, _ in answers) - begun),
        p50=times[len(times) // 2],
        p95=times[len(times) * 95 // 100],
        failed=sum(status != b"200" for _, _, status in answers),
    )


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, due: Iterator[tuple[float, bytes]]
) -> list[tuple[float, float, bytes]]:
    answers = []
    for moment, request in due:
        await asyncio.sleep(moment - time.perf_counter())
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        await reader.readexactly(int(found[1]) if found else 0)
        ended = time.perf_counter()
        answers.append((ended, ended - moment, head.split(b" ", 2)[1]))
    return answers
