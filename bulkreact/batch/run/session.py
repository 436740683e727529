"""One process's work on a run: a runner settles the pending rows, then a verifier watches the accepted ones."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.dispatch.call_budget import CallBudget, call_budget
from bulkreact.batch.dispatch.call_executor import CallExecutor
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from bulkreact.batch.environment import COMPLETED, OutageRecord, Phase, RunEnvironment, StopReason
from bulkreact.batch.halt import DenialBreaker
from bulkreact.batch.journal import schema
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.journal.watched_rows import to_restore
from bulkreact.batch.journal.writer import Writer, translating_write_errors
from bulkreact.batch.run.parents import ParentSubscriptions
from bulkreact.batch.run.runner import Runner
from bulkreact.batch.verify.subscription_watch import PollSchedule
from bulkreact.batch.verify.verifier import Verifier
from bulkreact.batch.verify.watch_list import WatchList
from bulkreact.models import RunState
from bulkreact.settings import URGENT_WITHIN, Limits, Service
from bulkreact.timestamps import iso_milliseconds


class RunSession(Struct, frozen=True):
    """Dependencies of a process's work on a run; ``begin_phase`` is entered before the first call of each phase."""

    journal: Journal
    number: int
    environment: RunEnvironment
    service: Service
    limits: Limits
    begin_phase: Callable[[Phase], AbstractContextManager[None]]


async def send_and_watch(session: RunSession, *, send: bool) -> StopReason:
    """Send the pending rows of a journal if ``send``, then watch the accepted ones; return why the work stopped."""
    # Rows are read from the journal while they are sent.
    with translating_write_errors():
        return await _send_and_watch(session, send=send)


async def _send_and_watch(session: RunSession, *, send: bool) -> StopReason:
    limits = session.limits
    first_call = session.journal.next_call_id()
    writer = Writer(session.journal.path, appends=schema.APPENDS)
    try:
        recorder = Recorder(writer, session=session.number, first_call=first_call)
        session = _recording_outages(session, recorder)
        executor = CallExecutor(recorder=recorder, environment=session.environment, service=session.service)
        rate_limiter = RateLimiter(limits.calls_per_second)
        stop_reason = COMPLETED
        if send:
            stop_reason = await _send_rows(session, executor, call_budget(limits, rate_limiter))
        if stop_reason == COMPLETED and (limits.verify or (send and to_restore(session.journal))):
            budget = call_budget(limits, rate_limiter, is_first=not send)
            stop_reason = await _watch_rows(session, executor, budget, restoring=send)
            if send and stop_reason.state is RunState.INTERRUPTED:
                reason = f"all rows were sent, only the watching of accepted ones was stopped: {stop_reason.reason}"
                stop_reason = replace(stop_reason, reason=reason)
        return stop_reason
    finally:
        await asyncio.shield(writer.close())


def _recording_outages(session: RunSession, recorder: Recorder) -> RunSession:
    """Return the session with every change of an outage recorded before it is reported."""
    report = session.environment.on_outage

    def record(outage: OutageRecord) -> None:
        recorder.record_outage(outage)
        report(outage)

    return replace(session, environment=replace(session.environment, on_outage=record))


async def _send_rows(session: RunSession, executor: CallExecutor, budget: CallBudget) -> StopReason:
    journal = session.journal
    soon = iso_milliseconds(session.environment.now() + URGENT_WITHIN) if session.limits.urgent_first else ""
    runner = Runner(
        request_ids=journal.metadata.request_ids,
        pending_rows=journal.pending_rows(soon=soon),
        parents=ParentSubscriptions(journal, session=session.number),
        executor=executor,
        budget=budget,
        environment=session.environment,
        limits=session.limits,
        denial_breaker=DenialBreaker(customers=journal.customer_count(at_most=2), succeeded=journal.has_successes()),
    )
    with session.begin_phase(runner.pool):
        return await runner.run()


async def _watch_rows(
    session: RunSession, executor: CallExecutor, budget: CallBudget, *, restoring: bool
) -> StopReason:
    # If the last row exceeded the threshold, the run was not halted but the rate limiter is closed.
    budget.rate_limiter.reopen()
    verification = session.limits.verify
    # In a thread: it reads all results, minutes for millions of rows, and signals must be handled meanwhile.
    watch_list = await asyncio.to_thread(
        WatchList,
        session.journal,
        PollSchedule(
            verification or session.limits.waiting, session.environment.monotonic(), session.environment.now()
        ),
        everything=verification is not None,
        restoring=restoring,
    )
    verifier = Verifier(
        request_ids=session.journal.metadata.request_ids,
        queue=Queue(watch_list, per_customer=session.limits.per_customer, clock=session.environment.monotonic),
        executor=executor,
        budget=budget,
        environment=session.environment,
        total=watch_list.count(),
        customers=watch_list.customer_count(),
    )
    with session.begin_phase(verifier.pool):
        return await verifier.pool.run()
