"""A whole run in virtual time: the real journal, policy and rate limiter against the simulator, without sockets."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random
from uuid import UUID

from bulkreact.batch.environment import OutageRecord, Phase, RunEnvironment, StopReason
from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.row_results import result_rows
from bulkreact.batch.run.session import RunSession, send_and_watch
from bulkreact.models import InputRow, NoResponse, Outcome, Reply, Request, Response, ResultRow, Target
from bulkreact.settings import Cloud, Limits, Service
from bulkreact.simulator.partnercenter.answers import ScriptedAnswer
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.steady_clock import SteadyClock
from bulkreact.timestamps import iso_milliseconds
from tests.support import virtual_time
from tests.support.ids import guid, metadata

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SERVICE = Service(Cloud.GLOBAL, "https://partner.example", "v1", simulated=False)
_SECONDS_PER_CALL = 0.05
HANGING_SECONDS = 3600.0


@dataclass
class SentCall:
    """One call as the partner received it."""

    at: float
    method: str
    path: str
    request_id: str
    correlation_id: str
    status: int | None = None


class Killed(Exception):  # noqa: N818 - a process that is killed raises nothing
    """The process is gone: nothing that it has not made durable is known any more."""


@dataclass
class VirtualRun:
    """A folder with a journal, and a partner; both outlive the sessions that work with them.

    ``on_call`` gets each call as it arrives and may change the rules; ``answer`` may replace the partner's answer, and
    ``delay`` returns by how many seconds a call takes longer. ``on_settled`` gets every row that a call has settled.
    ``token_refusal`` returns why the token service refuses a token, ``token_hangs`` whether it takes an hour. ``clock_error`` is how wrong this machine's clock is at a time.
    ``kills_process`` is called before a call leaves and when its answer has come: true kills the process at that
    instant, and chance decides which of the other calls under way still reach the partner. ``show`` shows each phase.
    """

    folder: Path
    rules: Behaviour = field(default_factory=Behaviour)
    seed: int = 0
    sent: list[SentCall] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    on_call: Callable[[SentCall], None] = lambda _sent: None
    answer: Callable[[SentCall], Reply | None] = lambda _sent: None
    kills_process: Callable[[], bool] = lambda: False
    delay: Callable[[Request], float] = lambda _request: 0.0
    token_refusal: Callable[[], str] = lambda: ""
    token_hangs: Callable[[], bool] = lambda: False
    clock_error: Callable[[float], timedelta] = lambda _now: timedelta()
    on_settled: Callable[[int, Outcome], None] = lambda _number, _outcome: None
    outages: list[OutageRecord] = field(default_factory=list)
    show: Callable[[Phase], AbstractContextManager[None]] = lambda _phase: nullcontext()
    renewals: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = 0.0
        self.service = PartnerCenter(self.rules, lambda: self.now)
        self._chance = Random(self.seed)

    def create_journal(self, targets: list[Target], **changes: object) -> None:
        """Make the journal of a run over targets; ``changes`` are the same for all rows."""
        rows = [InputRow(number, ("x",), target, **changes) for number, target in enumerate(targets, 2)]  # type: ignore[arg-type]
        create(self.folder, rows)
        finalize(self.folder, metadata(header=("a",), uuid=guid(77)))

    def work(self, limits: Limits, *, send: bool = True, command: str = "run") -> StopReason:
        """Work on the run as one process does, until it ends or is stopped."""
        return virtual_time.run(self._work(limits, send=send, command=command))

    def rows(self) -> list[ResultRow]:
        """Return the results so far."""
        with Journal(self.folder) as journal:
            return list(result_rows(journal.connection))

    async def _work(self, limits: Limits, *, send: bool, command: str) -> StopReason:
        offset = self.now

        def monotonic() -> float:
            self.now = offset + virtual_time.now()
            return virtual_time.now()

        def wall() -> datetime:
            monotonic()
            return START + timedelta(seconds=self.now) + self.clock_error(self.now)

        def is_fresh() -> bool:
            return not self.token_refusal() and not self.token_hangs()

        async def ensure_token() -> str:
            if self.token_hangs():
                await asyncio.sleep(HANGING_SECONDS)
            return self.token_refusal()

        async def renew(since: float) -> None:
            self.renewals.append(since)

        environment = RunEnvironment(
            is_token_fresh=is_fresh,
            ensure_token=ensure_token,
            send=self._send,
            renew_token=renew,
            now=SteadyClock(wall, monotonic),
            monotonic=monotonic,
            chance=self._chance.random,
            new_id=lambda: str(UUID(int=self._chance.getrandbits(128), version=4)),
            on_settled=self.on_settled,
            on_outage=self.outages.append,
        )

        @contextmanager
        def beginning(phase: Phase) -> Iterator[None]:
            self.phases.append(phase)
            with self.show(phase):
                yield

        with Journal(self.folder) as journal:
            number = journal.begin_session(
                command=command, version="1", configured_per_minute=None, now=iso_milliseconds(wall())
            )
            stop_reason = await send_and_watch(
                RunSession(journal, number, environment, SERVICE, limits, beginning), send=send
            )
            journal.end_session(
                number,
                state=stop_reason.state,
                exit_code=stop_reason.exit_code,
                reason="",
                now=iso_milliseconds(wall()),
            )
        monotonic()
        return stop_reason

    async def _send(self, request: Request) -> Reply:
        if self.kills_process():
            raise Killed
        offset = self.now - virtual_time.now()
        try:
            await asyncio.sleep(_SECONDS_PER_CALL + self.delay(request))
        except asyncio.CancelledError:
            if self._chance.random() < 0.5:
                self._arrive(request)
            raise
        self.now = offset + virtual_time.now()
        reply = self._arrive(request)
        if self.kills_process():
            raise Killed
        return reply

    def _arrive(self, request: Request) -> Reply:
        ids = request.headers["MS-RequestId"], request.headers["MS-CorrelationId"]
        sent = SentCall(self.now, request.method, request.path, *ids)
        self.sent.append(sent)
        self.on_call(sent)
        reply = self.answer(sent) or self._reply(request)
        sent.status = reply.status if isinstance(reply, Response) else None
        return reply

    def _reply(self, request: Request) -> Reply:
        _, _, _, customer, _, subscription, *rest = request.path.split("/")
        ours = request.headers["MS-RequestId"]
        if answer := self.service.throttle(customer):
            return _response(answer, self.now)
        match request.method, rest:
            case "POST", [_, entitlement, _]:
                answer = self.service.reactivate((customer, subscription, entitlement), ours)
            case "GET", ["azureEntitlements", entitlement]:
                answer = self.service.read((customer, subscription, entitlement))
            case "GET", ["azureEntitlements"]:
                answer = self.service.read_all((customer, subscription))
            case "GET", ["operations", operation]:
                answer = self.service.read_operation(customer, subscription, operation)
            case "GET", []:
                answer = self.service.read_subscription(customer, subscription, ours)
            case _:
                if_match, content_type = request.headers.get("If-Match"), request.headers["Content-Type"]
                answer = self.service.update_subscription(
                    customer, subscription, ours, request.body, if_match, content_type
                )
        return _response(answer, self.now)


def _response(answer: ScriptedAnswer, now: float) -> Reply:
    if answer.drop:
        return NoResponse(sent=True, code="connection-lost", description="the connection was dropped")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if headers.get("retry-after") == "date":
        headers["date"], headers["retry-after"] = (
            format_datetime(START + timedelta(seconds=now + seconds), usegmt=True) for seconds in (0, answer.seconds)
        )
    return Response(answer.status, "", headers, answer.body)
