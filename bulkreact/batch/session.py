"""One process's work on a run: the open rows of its journal, settled by a runner."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from bulkreact.batch.brakes import PermissionStreak
from bulkreact.batch.journal import Journal
from bulkreact.batch.queue import Queue, Row
from bulkreact.batch.recorder import Recorder
from bulkreact.batch.rows import OpenRows
from bulkreact.batch.runner import Edges, Ending, Runner, Tally
from bulkreact.batch.writer import Writer
from bulkreact.models import SUCCESSES, Outcome
from bulkreact.settings import Limits, Service


@dataclass(frozen=True, slots=True)
class Watch:
    """What a session tells while it works: its runner once, then every outcome."""

    started: Callable[[Runner], None]
    settled: Callable[[Row, Outcome], None]


async def work(journal: Journal, session: int, *, edges: Edges, service: Service, limits: Limits, watch: Watch) -> Ending:
    """Settle the open rows of a journal; returns why it stopped, raises what is a bug or a full disk."""
    open_rows = OpenRows(journal.connection)
    count = open_rows.count()
    successes = ", ".join(f"'{status}'" for status in SUCCESSES)
    succeeded = journal.connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM outcomes WHERE status IN ({successes}))"  # noqa: S608 - our own words
    ).fetchone()[0]
    first_call = journal.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM calls").fetchone()[0]
    writer = Writer(journal.path)
    try:
        runner = Runner(
            run_uuid=UUID(journal.facts.uuid),
            recorder=Recorder(writer, session=session, first_call=first_call),
            queue=Queue(open_rows, per_customer=limits.per_customer, clock=edges.monotonic),
            edges=edges,
            service=service,
            limits=limits,
            tally=Tally(total=count.rows),
            streak=PermissionStreak(customers=count.customers, succeeded=bool(succeeded)),
            on_outcome=watch.settled,
        )
        watch.started(runner)
        return await runner.run()
    finally:
        await asyncio.shield(writer.close())
