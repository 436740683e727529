"""Records one call durably, then sends it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.environment import RunEnvironment
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.models import Call, Operation, Reply, Request, Response, Target
from bulkreact.partnercenter.protocol import NO_CONTEXT, CallContext, build_request, judge, path_of_location
from bulkreact.partnercenter.verdicts import Accepted, Verdict
from bulkreact.settings import Service
from bulkreact.timestamps import iso_milliseconds

_OF_ENTITLEMENT = frozenset({Operation.REACTIVATE_ENTITLEMENT, Operation.GET_ENTITLEMENT})
_QUICKLY_READ = 1 << 16
reading_lock = threading.Lock()


class CallResult(Struct, frozen=True):
    """An answered or lost call: its record, the verdict, and the monotonic time at which it started.

    ``beside``: how many others were waiting for their answers when it was sent.
    """

    operation: Operation
    call: Call
    verdict: Verdict
    started: float
    beside: int = 0

    @property
    def error(self) -> str:
        """Return the code and description of its answer."""
        return f"{self.call.answer.code}: {self.call.answer.description}"


class OpenCalls:
    """Sends requests and counts those that have no answer yet."""

    def __init__(self, send: Callable[[Request], Awaitable[Reply]]) -> None:
        self._send = send
        self._count = 0

    async def send(self, request: Request) -> tuple[Reply, int]:
        """Return the reply, and how many other calls were open when it was sent."""
        beside = self._count
        self._count += 1
        try:
            return await self._send(request), beside
        finally:
            self._count -= 1


class CallExecutor:
    """Makes calls; the caller records the answer together with the outcome."""

    def __init__(self, *, recorder: Recorder, environment: RunEnvironment, service: Service) -> None:
        self.recorder = recorder
        self._environment = environment
        self._service = service
        self._open_calls = OpenCalls(environment.send)

    async def call(
        self,
        ordinal: int,
        operation: Operation,
        target: Target,
        *,
        request_id: str = "",
        context: CallContext = NO_CONTEXT,
    ) -> CallResult:
        """Make a call for a row, by default with a new request id."""
        started, started_at = self._environment.monotonic(), iso_milliseconds(self._environment.now())
        request = build_request(
            operation,
            target,
            request_id=request_id or self._environment.new_id(),
            correlation_id=self._environment.new_id(),
            api_version=self._service.api_version,
            context=context,
        )
        ids = request.headers["MS-RequestId"], request.headers["MS-CorrelationId"]
        call = await self.recorder.record_call(
            ordinal, operation, request_id=ids[0], correlation_id=ids[1], started_at=started_at
        )
        reply, beside = await self._open_calls.send(request)
        now = self._environment.now()
        resource_id = target.entitlement_id if operation in _OF_ENTITLEMENT else target.subscription_id
        verdict = await judge_reply(reply, partial(judge, operation, reply, now=now, resource_id=resource_id))
        if isinstance(verdict, Accepted) and verdict.location:
            path = path_of_location(verdict.location, self._service.base_url, self._service.api_version)
            verdict = replace(verdict, location=path)
        return CallResult(
            operation, Call(call, *ids, started_at, iso_milliseconds(now), verdict.answer), verdict, started, beside
        )


async def judge_reply(reply: Reply, judge: Callable[[], Verdict]) -> Verdict:
    """Return the verdict on a reply; long bodies are read in a thread, one at a time, so that other calls go on."""
    if not isinstance(reply, Response) or len(reply.body) <= _QUICKLY_READ:
        return judge()

    def judge_alone() -> Verdict:
        with reading_lock:
            return judge()

    return await asyncio.to_thread(judge_alone)
