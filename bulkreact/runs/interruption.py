"""Ctrl-C and SIGTERM: the first lets calls in flight finish, the second stops at once; results are complete files."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum, auto
from types import FrameType
from typing import TypeVar

from bulkreact.batch.environment import Phase, StopReason
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SUCCESS, EXIT_TERMINATED
from bulkreact.models import RunState

T = TypeVar("T")
# SIGBREAK is sent on Windows when a console is closed.
_STOP_SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


class _Stage(Enum):
    """How far signals have stopped the work: the first lets calls in flight end, the second cancels them."""

    WORKING = auto()
    STOPPING = auto()
    CANCELLED = auto()


class ShutdownRequest:
    """The signals that asked a command to stop: those ``received`` before it started, and later ones."""

    def __init__(self, report: Callable[[str], None], received: Sequence[int] = ()) -> None:
        self._report = report
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._phase: Phase | None = None
        self._received = received
        self._stage = _Stage.WORKING
        # The first one counts, if another follows.
        self._signal: int | None = None
        self._is_forced = False

    @property
    def exit_code(self) -> int:
        """Return the exit code of the received signal, 0 if there was none."""
        return EXIT_SUCCESS if self._signal is None else exit_code_of(self._signal)

    def install(self) -> None:
        """Install the handlers, and handle the signals received before."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self.receive)
        if self._received:
            self._signal = self._received[0]

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle signals within the context."""
        with preserving_handlers():
            self.install()
            yield

    async def guard(self, work: Coroutine[object, object, T]) -> T | StopReason:
        """Await work that signals may stop, even earlier ones; the second signal cancels it."""
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._signal is not None:
            self._act(self._signal)
        if self._is_forced:
            self._cancel()
        try:
            return await work
        except asyncio.CancelledError:
            if self._stage is not _Stage.CANCELLED or self._task is None:
                raise
            self._task.uncancel()
            return StopReason(
                RunState.INTERRUPTED, self.exit_code, "calls in flight were given up at the second signal"
            )
        finally:
            self._loop = None

    def attach(self, phase: Phase) -> None:
        """Pass the request on to a phase, now and later."""
        self._phase = phase
        if self._stage is not _Stage.WORKING:
            phase.interrupt(terminated=self._signal == signal.SIGTERM)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal; Python calls this between any two instructions."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._act, number)
        else:
            self._signal = self._signal or number

    def stop(self) -> None:
        """Stop as by a signal; any thread may call it."""
        # As below.
        with suppress(RuntimeError):
            self.receive(signal.SIGTERM, None)

    def force(self) -> None:
        """Stop at once, as by two signals; any thread may call it, and more than once."""
        self._is_forced = True
        if loop := self._loop:
            # The loop may have been closed meanwhile: then the work has ended.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._cancel)

    def _act(self, number: int) -> None:
        if self._stage is _Stage.WORKING:
            self._stage, self._signal = _Stage.STOPPING, self._signal or number
            self._report("Stopping: calls in flight are allowed to end. Once more stops at once.")
            if self._phase:
                self._phase.interrupt(terminated=self._signal == signal.SIGTERM)
        else:
            self._cancel()

    def _cancel(self) -> None:
        if self._stage is _Stage.WORKING:
            self._act(signal.SIGTERM)
        if self._stage is _Stage.STOPPING and self._task:
            self._stage = _Stage.CANCELLED
            self._task.cancel()


def exit_code_of(number: int) -> int:
    """Return the exit code of a program that a signal ended."""
    return EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED


@contextmanager
def preserving_handlers() -> Iterator[None]:
    """Restore the signal handlers afterwards."""
    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferring_signals() -> Iterator[list[int]]:
    """Only record the signals that come meanwhile, and yield their list."""
    received: list[int] = []
    with preserving_handlers():
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda number, _frame: received.append(number))
        yield received
