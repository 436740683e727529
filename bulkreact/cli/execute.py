"""Works on a run whose journal exists: sends its open rows, writes the results, says how it went."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import random
from time import monotonic
from uuid import uuid4

from bulkreact import __version__
from bulkreact.batch.journal import Journal
from bulkreact.batch.runner import Edges, Ending, Runner, iso
from bulkreact.batch.session import work
from bulkreact.cli.finish import Finished, Places, Report
from bulkreact.cli.options import Output
from bulkreact.cli.signals import Interruption, listen
from bulkreact.cli.terminal import Terminal
from bulkreact.errors import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    BulkreactError,
    JournalNotWrittenError,
    ResultsNotWrittenError,
)
from bulkreact.models import RunState
from bulkreact.partnercenter.auth import ReadyToken
from bulkreact.partnercenter.client import connect
from bulkreact.settings import Limits, Service
from bulkreact.sheets.results import LATEST
from bulkreact.simulator.world import Rules


@dataclass(frozen=True, slots=True)
class Work:
    """What one command does with a run."""

    folder: Path
    command: str
    token: str = field(repr=False)
    service: Service
    limits: Limits
    output: Output

    @property
    def configured_per_minute(self) -> float | None:
        """Return the ceiling as the summary shows it."""
        rate = self.limits.calls_per_second
        return None if rate is None else round(rate * 60, 3)


def execute(job: Work, terminal: Terminal) -> int:
    """Settle the open rows of a run and write its files; returns the exit code."""
    interruption = Interruption(terminal.note)
    listen(interruption)
    with Journal(job.folder) as journal:
        session = journal.begin_session(
            command=job.command, version=__version__, configured_per_minute=job.configured_per_minute, now=_now()
        )
        try:
            ending = asyncio.run(_work(job, journal, session, terminal, interruption))
        except JournalNotWrittenError as error:
            # The session stays open, as after a kill; what is known is written if there is room for it.
            with suppress(ResultsNotWrittenError):
                _write(job, Ending(RunState.ABORTED, error.exit_code, "the journal could not be written"), _now())
            raise JournalNotWrittenError(
                f"{error} Nothing more was sent. Make room, then continue with: bulkreact resume {job.folder} "
                "(what was under way is repeated under its old request ids). "
                f"The results so far are written by: bulkreact results {job.folder}"
            ) from None
        except BaseException:
            _end(job, journal, session, Ending(RunState.ABORTED, BulkreactError.exit_code, "a bug in bulkreact"))
            raise
        finished = _end(job, journal, session, ending)
    terminal.report(journal.facts, finished, ending)
    return finished.exit_code


def _end(job: Work, journal: Journal, session: int, ending: Ending) -> Finished:
    now = _now()
    code = ResultsNotWrittenError.exit_code
    try:
        finished = _write(job, ending, now)
        code = finished.exit_code
    finally:
        journal.end_session(session, state=ending.state, exit_code=code, reason=ending.reason, now=now)
    return finished


def _write(job: Work, ending: Ending, now: str) -> Finished:
    places = Places(job.folder, results_copy=job.output.results, latest=job.folder.parent / LATEST)
    return Report(job.folder, ending, places, job.configured_per_minute, now).write()


async def _work(job: Work, journal: Journal, session: int, terminal: Terminal, interruption: Interruption) -> Ending:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("the work of a run needs a task of its own")
    try:
        with interruption.stopping(task):
            return await _send(job, journal, session, terminal, interruption)
    except asyncio.CancelledError:
        if not interruption.at_once:
            raise
        task.uncancel()
        code = EXIT_TERMINATED if interruption.terminated else EXIT_INTERRUPTED
        return Ending(RunState.INTERRUPTED, code, "interrupted twice: calls in flight were given up")


async def _send(job: Work, journal: Journal, session: int, terminal: Terminal, interruption: Interruption) -> Ending:
    async with AsyncExitStack() as stack:
        service = job.service
        if service.simulated:
            from bulkreact.simulator.server import serve  # noqa: PLC0415 - the server is loaded only to practise

            base_url, _ = await stack.enter_async_context(serve(Rules()))
            service = replace(service, base_url=base_url)
        credentials = ReadyToken(job.token)
        client = await stack.enter_async_context(connect(service, job.limits, credentials))
        edges = Edges(
            send=client.send,
            renew=credentials.renew,
            now=partial(datetime.now, UTC),
            monotonic=monotonic,
            chance=random,
            new_id=_new_id,
            settled=terminal.settled,
        )

        def started(runner: Runner) -> None:
            interruption.attach(runner)
            stack.enter_context(terminal.watching(runner))

        return await work(journal, session, edges=edges, service=service, limits=job.limits, started=started)


def _now() -> str:
    return iso(datetime.now(UTC))


def _new_id() -> str:
    return str(uuid4())
