"""Posts to every line of a file of URLs from a pool of aiohttp workers, and does nothing else."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp


async def main(urls: Iterator[str], concurrency: int) -> None:
    """Post all of them."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for url in urls:
                headers = {"Authorization": "Bearer token", "MS-RequestId": str(uuid4())}
                async with session.post(url, headers=headers) as response:
                    await response.read()
                    if response.status != 202:
                        raise RuntimeError(response.status)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())


if __name__ == "__main__":
    asyncio.run(main(iter(Path(sys.argv[1]).read_text().splitlines()), int(sys.argv[2])))
