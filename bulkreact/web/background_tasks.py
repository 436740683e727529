"""Work of a server beside its requests, by the numbers of jobs or searches."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class BackgroundTasks:
    """Tasks and their numbers, of which several may have the same; one that has ended is forgotten."""

    def __init__(self) -> None:
        self._numbers: dict[asyncio.Task[None], int] = {}

    def __len__(self) -> int:
        """Return how many tasks have not ended."""
        return len(self._numbers)

    def __contains__(self, number: int) -> bool:
        """Return whether a task of a number has not ended."""
        return number in self._numbers.values()

    def begin(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        """Begin a task of a number."""
        task = asyncio.get_running_loop().create_task(work)
        self._numbers[task] = number
        task.add_done_callback(self._numbers.pop)

    def cancel(self, number: int) -> None:
        """Cancel the tasks of a number."""
        for task, own in self._numbers.items():
            if own == number:
                task.cancel()

    async def close(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        tasks = list(self._numbers)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
