"""Ctrl-C and SIGTERM: the first lets calls in flight end, the second stops at once, nothing tears the results."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from bulkreact.batch.environment import Phase
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SUCCESS, EXIT_TERMINATED

# What asks a program to end; SIGBREAK is Windows' word for a closed console.
_ENDING = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


class ShutdownRequest:
    """What signals have asked for, also before there is a phase to tell and after it has ended."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._phase: Phase | None = None
        self._early: int | None = None
        self.terminated: bool | None = None
        self.at_once = False

    @property
    def exit_code(self) -> int:
        """Return the exit code of what anybody has asked for, 0 when nobody has."""
        if self._early is not None:
            return exit_code_of(self._early)
        if self.terminated is None:
            return EXIT_SUCCESS
        return EXIT_TERMINATED if self.terminated else EXIT_INTERRUPTED

    @contextmanager
    def stopping(self, task: asyncio.Task[object]) -> Iterator[None]:
        """Let signals stop a task of the running loop, also one that came earlier; later ones change nothing."""
        self._loop, self._task = asyncio.get_running_loop(), task
        if self._early is not None:
            self._act(self._early)
        try:
            yield
        finally:
            self._loop = None

    def attach(self, phase: Phase) -> None:
        """Tell a phase what has been asked for, now and later."""
        self._phase = phase
        if self.terminated is not None:
            phase.interrupt(terminated=self.terminated)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal from the system, at any moment and between any two instructions."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._act, number)
        else:
            self._early = number

    def _act(self, number: int) -> None:
        if self.terminated is None:
            self.terminated = number == signal.SIGTERM
            self._tell("Stopping: calls in flight are allowed to end. Once more stops at once.")
            if self._phase:
                self._phase.interrupt(terminated=self.terminated)
        elif not self.at_once and self._task:
            self.at_once = True
            self._task.cancel()


def install(interruption: ShutdownRequest, received: Sequence[int] = ()) -> None:
    """Hand the signals that ask for an end to an interruption, from now on and those received before."""
    for number in _ENDING:
        signal.signal(number, interruption.receive)
    for early in received:
        interruption.receive(early, None)


def exit_code_of(number: int) -> int:
    """Return the exit code of a program that a signal has ended."""
    return EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED


@contextmanager
def preserving_handlers() -> Iterator[None]:
    """Let others listen to signals meanwhile; afterwards they are heeded as before."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferring_signals() -> Iterator[list[int]]:
    """Let signals wait: yield those that come, in their order; afterwards they are heeded as before."""
    came: list[int] = []
    with preserving_handlers():
        for number in _ENDING:
            signal.signal(number, lambda received, _frame: came.append(received))
        yield came
