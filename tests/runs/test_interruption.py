"""Signals stop work in two steps, whenever they come, and leave the handlers as they were."""

import asyncio
import signal

import pytest

from bulkreact.batch.environment import PhaseProgress, StopReason, WaitState
from bulkreact.models import RunState
from bulkreact.runs.interruption import ShutdownRequest, deferring_signals

STOPPING = "Stopping: calls in flight are allowed to end. Once more stops at once."


class EndlessPhase:
    """A phase that only a signal ends."""

    title = "Waiting"
    progress = PhaseProgress(total=1)
    stopping = False

    def __init__(self) -> None:
        self.interrupted = asyncio.Event()

    def wait_state(self) -> WaitState:
        """Return that nothing waits."""
        return WaitState()

    def interrupt(self, *, terminated: bool) -> None:
        """End."""
        assert terminated
        self.interrupted.set()


@pytest.mark.parametrize("swallowed", [True, False])
async def test_a_signal_that_comes_before_the_loop_runs_is_not_lost(swallowed: bool) -> None:
    messages: list[str] = []
    shutdown = ShutdownRequest(messages.append, [signal.SIGTERM] if swallowed else [])
    phase = EndlessPhase()

    async def work() -> str:
        shutdown.attach(phase)
        await phase.interrupted.wait()
        return "ended"

    with shutdown.handling_signals():
        if not swallowed:
            signal.raise_signal(signal.SIGTERM)
        assert await shutdown.guard(work()) == "ended"
    assert shutdown.exit_code == 143
    assert messages == [STOPPING]


async def test_any_thread_may_stop_the_work() -> None:
    shutdown, phase = ShutdownRequest(lambda _message: None), EndlessPhase()

    async def work() -> str:
        shutdown.attach(phase)
        await asyncio.to_thread(shutdown.stop)
        await phase.interrupted.wait()
        return "ended"

    assert await shutdown.guard(work()) == "ended"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_second_signal_cancels_the_work(number: signal.Signals, code: int) -> None:
    messages: list[str] = []
    shutdown = ShutdownRequest(messages.append)

    async def work() -> str:
        for _ in range(3):
            signal.raise_signal(number)
        await asyncio.sleep(10)
        return "never"

    with shutdown.handling_signals():
        stopped = await shutdown.guard(work())
    assert stopped == StopReason(RunState.INTERRUPTED, code, "calls in flight were given up at the second signal")
    assert messages == [STOPPING]


async def test_the_first_signal_decides_about_the_exit_code() -> None:
    shutdown = ShutdownRequest(lambda _message: None, [signal.SIGTERM, signal.SIGINT])
    with shutdown.handling_signals():
        signal.raise_signal(signal.SIGINT)
    assert shutdown.exit_code == 143


async def test_a_signal_after_the_work_changes_only_the_exit_code() -> None:
    shutdown = ShutdownRequest(lambda _message: None)

    async def work() -> str:
        return "ended"

    with shutdown.handling_signals():
        assert await shutdown.guard(work()) == "ended"
        assert shutdown.exit_code == 0
        signal.raise_signal(signal.SIGINT)
    assert shutdown.exit_code == 130


def test_deferred_signals_are_recorded_and_the_handlers_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with deferring_signals() as received:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) == before
