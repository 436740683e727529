"""One process's work on a run: its open rows are settled by a runner, then its accepted ones are watched."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

from bulkreact.batch.dispatch.exchange import CallExecutor
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from bulkreact.batch.dispatch.throttle import Throttle
from bulkreact.batch.dispatch.worker_pool import CallBudget
from bulkreact.batch.environment import COMPLETED, Phase, RunEnvironment, StopReason
from bulkreact.batch.halt import DenialBreaker
from bulkreact.batch.journal import schema
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.journal.watched_rows import to_restore
from bulkreact.batch.journal.writer import Writer
from bulkreact.batch.run.parents import ParentSubscriptions
from bulkreact.batch.run.runner import Runner
from bulkreact.batch.verify.poller import PollSchedule
from bulkreact.batch.verify.verifier import Verifier
from bulkreact.batch.verify.watch_list import WatchList
from bulkreact.settings import URGENT_WITHIN, Limits, Service
from bulkreact.timestamps import iso


@dataclass(frozen=True, slots=True)
class Session:
    """What a process works with; ``beginning`` is told of each phase before its first call, and ends with it."""

    journal: Journal
    number: int
    edges: RunEnvironment
    service: Service
    limits: Limits
    beginning: Callable[[Phase], AbstractContextManager[None]]


async def work(session: Session, *, send: bool) -> StopReason:
    """Send the open rows of a journal, unless they are to be left alone, and watch those that were accepted.

    Returns why it stopped; raises what is a bug or a full disk.
    """
    limits = session.limits
    first_call = session.journal.next_call_id()
    writer = Writer(session.journal.path, appends=schema.APPENDS)
    try:
        recorder = Recorder(writer, session=session.number, first_call=first_call)
        wire = CallExecutor(recorder=recorder, edges=session.edges, service=session.service)
        pacer = RateLimiter(limits.calls_per_second)
        ending = COMPLETED
        if send:
            ending = await _send(session, wire, _flow(pacer, limits))
        if ending == COMPLETED and (limits.verify or (send and to_restore(session.journal))):
            ending = await _watch(session, wire, _flow(pacer, limits), restoring=send)
        return ending
    finally:
        await asyncio.shield(writer.close())


def _flow(pacer: RateLimiter, limits: Limits) -> CallBudget:
    """Return the budget of calls with no memory yet of who was throttled: reads are so at other times than writes."""
    throttle = Throttle(max_retry_after=limits.max_retry_after, max_throttle=limits.max_throttle)
    return CallBudget(pacer, throttle, limits.concurrency)


async def _send(session: Session, wire: CallExecutor, flow: CallBudget) -> StopReason:
    journal = session.journal
    soon = iso(session.edges.now() + URGENT_WITHIN) if session.limits.urgent_first else ""
    runner = Runner(
        run_uuid=UUID(journal.metadata.uuid),
        open_rows=journal.pending_rows(soon=soon),
        family=ParentSubscriptions(journal, session=session.number),
        wire=wire,
        flow=flow,
        edges=session.edges,
        limits=session.limits,
        streak=DenialBreaker(customers=journal.customer_count(at_most=2), succeeded=journal.has_successes()),
    )
    with session.beginning(runner.phase):
        return await runner.run()


async def _watch(session: Session, wire: CallExecutor, flow: CallBudget, *, restoring: bool) -> StopReason:
    # A threshold that the last row passed closed the turns, although it halted nothing.
    flow.pacer.reopen()
    verification = session.limits.verify
    schedule = PollSchedule(verification or session.limits.waiting, session.edges)
    # A pass over all results: minutes for millions of rows, in which a signal must still be heard.
    watched = await asyncio.to_thread(
        WatchList,
        session.journal,
        due=schedule.first,
        everything=verification is not None,
        restoring=restoring,
    )
    verifier = Verifier(
        run_uuid=UUID(session.journal.metadata.uuid),
        queue=Queue(watched, per_customer=session.limits.per_customer, clock=session.edges.monotonic),
        schedule=schedule,
        executor=wire,
        budget=flow,
        environment=session.edges,
        attempts=session.limits.attempts,
        total=watched.count(),
    )
    with session.beginning(verifier.phase):
        return await verifier.run()
