"""Simulated limiters of a gateway, in virtual time: windows, buckets, and a limit on open calls."""

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from math import ceil

from bulkreact.models import Reply, Request, Response
from tests.support.virtual_run import SentCall, VirtualRun

_LATENCY = 0.05
_REFUSAL_LATENCY = 0.005


@dataclass
class Limiter(ABC):
    """Answers calls above a limit with a ``status``, with or without ``Retry-After``; counts them by time."""

    status: int = 429
    names_wait: bool = True
    answered: int = 0
    refused: list[float] = field(default_factory=list)

    def attach(self, virtual_run: VirtualRun) -> None:
        """Stand before the partner of a run."""
        verdicts: dict[str, float] = {}

        def begin(request: Request) -> float:
            wait = self.wait(virtual_run.now)
            verdicts[request.headers["MS-CorrelationId"]] = wait
            return _REFUSAL_LATENCY - _LATENCY if wait else 0.0

        def answer(sent: SentCall) -> Reply | None:
            wait = verdicts.pop(sent.correlation_id)
            if not wait:
                self.release()
                return None
            self.refused.append(sent.at)
            headers = {"retry-after": str(ceil(wait))} if self.names_wait else {}
            return Response(self.status, "", headers, b"")

        virtual_run.delay = begin
        virtual_run.answer = answer

    @abstractmethod
    def wait(self, now: float) -> float:
        """Return 0 if a call may pass now, else in how many seconds one may."""

    def release(self) -> None:
        """Note that a call that passed was answered."""
        self.answered += 1


@dataclass
class FixedWindow(Limiter):
    """So many calls in each window of seconds."""

    calls: int = 10
    seconds: float = 1.0
    _window: float = -1.0
    _count: int = 0

    def wait(self, now: float) -> float:
        """Count a call in its window."""
        window = now // self.seconds
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return 0.0 if self._count <= self.calls else (window + 1) * self.seconds - now


@dataclass
class SlidingWindow(Limiter):
    """So many calls in any span of seconds."""

    calls: int = 100
    seconds: float = 10.0
    _passed: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """Count a call if fewer passed lately."""
        while self._passed and self._passed[0] <= now - self.seconds:
            self._passed.popleft()
        if len(self._passed) >= self.calls:
            return self._passed[0] + self.seconds - now
        self._passed.append(now)
        return 0.0


@dataclass
class Bucket(Limiter):
    """Nginx's ``limit_req`` with ``nodelay``: so many calls a second, evenly, and a burst."""

    rate: float = 10.0
    burst: int = 0
    _excess: float = 0.0
    _at: float = float("-inf")

    def wait(self, now: float) -> float:
        """Let a call pass unless the bucket would run over."""
        excess = max(0.0, self._excess - self.rate * (now - self._at) + 1) if self._at > 0 else 0.0
        if excess > self.burst + 1e-3:
            return (excess - self.burst) / self.rate
        self._excess, self._at = excess, now
        return 0.0


@dataclass
class OpenCalls(Limiter):
    """Nginx's ``limit_conn``: so many calls at the same time."""

    calls: int = 2
    _open: int = 0

    def wait(self, now: float) -> float:  # noqa: ARG002 - the time makes no difference
        """Let a call pass while few are open."""
        if self._open >= self.calls:
            return 0.5
        self._open += 1
        return 0.0

    def release(self) -> None:
        """Close a call."""
        super().release()
        self._open -= 1
