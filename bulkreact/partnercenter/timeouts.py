"""A time limit that all calls of a client share: one timer for all of them instead of one for each."""

import asyncio
from types import TracebackType
from typing import Self


class TimeLimit:
    """Ends whatever its block awaits after ``seconds``, by TimeoutError; a task is in one block at a time.

    All blocks may take equally long, so that whoever came first is due first.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        # The moment at which each task is due; those that were told are no longer among them.
        self._due: dict[asyncio.Task[object] | None, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        due = self._loop.time() + self._seconds
        # Without the loop it would be looked for, by a call of the system.
        self._due[asyncio.current_task(self._loop)] = due
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = asyncio.current_task(self._loop)
        # Whoever is asked to end by somebody else as well must end.
        if task and self._due.pop(task, None) is None and task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _end(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._due:
            task, due = next(iter(self._due.items()))
            if due > now:
                self._timer = self._loop.call_at(due, self._end)
                return
            del self._due[task]
            if task:
                task.cancel()
