"""One process's work on a run: the open rows of its journal, settled by a runner."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from bulkreact.batch.brakes import PermissionStreak
from bulkreact.batch.journal import Journal
from bulkreact.batch.queue import Queue
from bulkreact.batch.recorder import Recorder
from bulkreact.batch.rows import OpenRows
from bulkreact.batch.runner import Edges, Ending, Runner
from bulkreact.batch.writer import Writer
from bulkreact.models import SUCCESSES
from bulkreact.settings import Limits, Service


async def work(
    journal: Journal, session: int, *, edges: Edges, service: Service, limits: Limits, started: Callable[[Runner], None]
) -> Ending:
    """Settle the open rows of a journal; returns why it stopped, raises what is a bug or a full disk.

    ``started`` is told of the runner before its first call.
    """
    open_rows = OpenRows(journal.connection)
    count = open_rows.count()
    successes = ", ".join(f"'{status}'" for status in SUCCESSES)
    succeeded = journal.connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM outcomes WHERE status IN ({successes}))"  # noqa: S608 - our own words
    ).fetchone()[0]
    customers = journal.connection.execute(
        "SELECT DISTINCT customer_id FROM rows WHERE customer_id IS NOT NULL LIMIT 2"
    ).fetchall()
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
            total=count.rows,
            streak=PermissionStreak(customers=len(customers), succeeded=bool(succeeded)),
        )
        started(runner)
        return await runner.run()
    finally:
        await asyncio.shield(writer.close())
