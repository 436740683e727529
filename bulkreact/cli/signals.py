"""Ctrl-C and SIGTERM: the first lets calls in flight end, the second stops at once."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from bulkreact.batch.runner import Runner


class Interruption:
    """What signals have asked for, also before there is a runner to tell."""

    def __init__(self, task: asyncio.Task[object], tell: Callable[[str], None]) -> None:
        self._task = task
        self._tell = tell
        self._runner: Runner | None = None
        self.terminated: bool | None = None
        self.at_once = False

    def attach(self, runner: Runner) -> None:
        """Tell a runner what has been asked for, now and later."""
        self._runner = runner
        if self.terminated is not None:
            runner.interrupt(terminated=self.terminated)

    def receive(self, signal_number: int) -> None:
        """Deal with one signal."""
        if self.terminated is None:
            self.terminated = signal_number == signal.SIGTERM
            self._tell("Stopping: calls in flight are allowed to end. Once more stops at once.")
            if self._runner:
                self._runner.interrupt(terminated=self.terminated)
        else:
            self.at_once = True
            self._task.cancel()


@contextmanager
def listening(interruption: Interruption) -> Iterator[None]:
    """Hand SIGINT and SIGTERM to an interruption while the loop runs."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def later(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(interruption.receive, number)

    former = {number: signal.signal(number, later) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
