"""Works on a run whose journal exists: sends its open rows or watches its accepted ones, and writes the results."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import getrandbits, random
from time import monotonic

from bulkreact import __version__
from bulkreact.atomic_write import PARTIAL
from bulkreact.batch.environment import Phase, RunEnvironment, StopReason
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.metadata import VERIFY
from bulkreact.batch.run.session import Session, work
from bulkreact.early_signals import early_signals
from bulkreact.errors import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    BulkreactError,
    CredentialsRefusedError,
    JournalNotWrittenError,
    ResultsNotWrittenError,
)
from bulkreact.guids import format_guid
from bulkreact.models import Outcome, RunState
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.auth.access_tokens import Credentials
from bulkreact.partnercenter.client import Client, connect
from bulkreact.runs import store
from bulkreact.runs.interruption import ShutdownRequest, install
from bulkreact.runs.output_options import Output
from bulkreact.runs.reporter import Reporter
from bulkreact.runs.result_files import (
    OutputPaths,
    ResultFiles,
    ResumeHint,
    RunStatus,
    WrittenResults,
    latest_run_status,
)
from bulkreact.runs.store import Run
from bulkreact.settings import Limits, Service
from bulkreact.timestamps import iso
from bulkreact.wording import shell_quote

# So many new objects are a few MiB.
_COLLECTED_AFTER = 20_000


@dataclass(frozen=True, slots=True)
class RunJob:
    """What one command does with a run."""

    folder: Path
    command: str
    access: AuthorizedAccess
    service: Service
    limits: Limits
    output: Output

    @property
    def sends(self) -> bool:
        """Tell whether rows are sent, and not only watched."""
        return self.command != VERIFY

    def resume_command(self, run: object) -> str:
        """Return the command that goes on with this work, for a run as the command line names it."""
        if not self.sends:
            return f"bulkreact verify {run}"
        return f"bulkreact resume {run}{' --verify' if self.limits.verify else ''}"

    @property
    def name(self) -> str:
        """Return how the run is named on the command line."""
        return store.cli_name(self.folder, self.output.reports)

    @property
    def continuing(self) -> ResumeHint:
        """Return how the sending of the run goes on; looking at it again is never in the way of that."""
        return ResumeHint(self.name, self.resume_command(self.name) if self.sends else f"bulkreact resume {self.name}")

    @property
    def configured_per_minute(self) -> float | None:
        """Return the ceiling as the summary shows it."""
        rate = self.limits.calls_per_second
        return None if rate is None else round(rate * 60, 3)


def execute(job: RunJob, reporter: Reporter, interruption: ShutdownRequest | None = None) -> WrittenResults:
    """Settle the open rows of a run and write its files."""
    interruption = interruption or ShutdownRequest(reporter.info)
    install(interruption, early_signals)
    reporter.started(job.folder.name)
    with Journal(job.folder) as journal:
        if not job.access.refusal:
            journal.record_tenant(job.access.tenant_id)
        session = journal.begin_session(
            command=job.command, version=__version__, configured_per_minute=job.configured_per_minute, now=_now()
        )
        _tune_gc()
        try:
            ending = asyncio.run(_work(job, journal, session, reporter, interruption))
        except JournalNotWrittenError as error:
            # The session stays open, as after a kill; what is known is written if there is room for it.
            ending = StopReason(RunState.ABORTED, error.exit_code, "the journal could not be written")
            with suppress(ResultsNotWrittenError):
                _write(job, ending, _now())
            raise JournalNotWrittenError(
                f"{error} Nothing more was sent. Make room, then continue with: {job.resume_command(shell_quote(job.folder))} "
                "(what was under way is repeated under its old request ids). "
                f"The results so far are written by: bulkreact results {shell_quote(job.folder)}"
            ) from None
        except BaseException:
            _end(job, journal, session, StopReason(RunState.ABORTED, BulkreactError.exit_code, "a bug in bulkreact"))
            raise
        finished = _end(job, journal, session, ending)
    if not job.sends and ending.state is RunState.FINISHED:
        # What has been looked at is as unfinished as it was before.
        stands = latest_run_status(job.folder, now=_now())
        reporter.finished(job.name, finished, stands.ending, resume_command=job.continuing.resume_command)
    else:
        reporter.finished(job.name, finished, ending, resume_command=job.resume_command(job.name))
    return finished


def _tune_gc() -> None:
    """Let the garbage collector look less often, and only at what is new: calls leave hardly any cycles behind."""
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)


def _end(job: RunJob, journal: Journal, session: int, ending: StopReason) -> WrittenResults:
    now = _now()
    code = ending.exit_code or ResultsNotWrittenError.exit_code
    try:
        finished = _write(job, ending, now)
        code = finished.exit_code
    finally:
        journal.end_session(session, state=ending.state, exit_code=code, reason=ending.reason, now=now)
    return finished


def _write(job: RunJob, ending: StopReason, now: str) -> WrittenResults:
    """Write the files; looking at a run again later changes nothing about how its sending ended."""
    stands = RunStatus(ending, job.configured_per_minute, now) if job.sends else latest_run_status(job.folder, now=now)
    for left in job.folder.glob(PARTIAL):
        # Of a process that was killed while it wrote.
        left.unlink(missing_ok=True)
    places = OutputPaths(job.folder, job.output.results, store.latest_summary_path(job.folder))
    finished = ResultFiles(job.folder, stands, places, job.continuing, xlsx=job.output.xlsx).write()
    return finished if job.sends else replace(finished, exit_code=ending.exit_code or finished.counts.exit_code)


async def _work(
    job: RunJob, journal: Journal, session: int, reporter: Reporter, interruption: ShutdownRequest
) -> StopReason:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("the work of a run needs a task of its own")
    try:
        with interruption.stopping(task):
            return await _send(job, journal, session, reporter, interruption)
    except asyncio.CancelledError:
        if not interruption.at_once:
            raise
        task.uncancel()
        code = EXIT_TERMINATED if interruption.terminated else EXIT_INTERRUPTED
        return StopReason(RunState.INTERRUPTED, code, "interrupted twice: calls in flight were given up")


async def _send(
    job: RunJob, journal: Journal, session: int, reporter: Reporter, interruption: ShutdownRequest
) -> StopReason:
    if job.access.refusal:
        return StopReason(RunState.ABORTED, CredentialsRefusedError.exit_code, job.access.refusal)
    async with AsyncExitStack() as stack:
        service = job.service
        if service.simulated:
            from bulkreact.runs.simulated_service import simulator  # noqa: PLC0415 - the server is loaded only to practise

            service = replace(service, base_url=await stack.enter_async_context(simulator(journal.folder)))
        credentials = job.access.credentials
        client = await stack.enter_async_context(connect(service, job.limits, credentials))
        edges = environment_for(client, credentials, settled=reporter.row_settled)

        @contextmanager
        def beginning(phase: Phase) -> Iterator[None]:
            interruption.attach(phase)
            with reporter.phase(phase):
                yield

        ending = await work(Session(journal, session, edges, service, job.limits, beginning), send=job.sends)
        await credentials.close()
        return ending


def environment_for(
    client: Client, credentials: Credentials, *, settled: Callable[[int, Outcome], None]
) -> RunEnvironment:
    """Return what a run is handed from outside: the real clocks, chance, and the line to the partner."""
    return RunEnvironment(
        send=client.send,
        is_token_fresh=credentials.is_fresh,
        ensure_token=credentials.ensure_token,
        renew_token=credentials.renew,
        now=partial(datetime.now, UTC),
        monotonic=monotonic,
        chance=random,
        new_id=_new_id,
        settled=settled,
    )


def _now() -> str:
    return iso(datetime.now(UTC))


def _new_id() -> str:
    # It must be unlike all others, not secret; asking the system each time would take three times as long.
    return format_guid(f"{getrandbits(128):032x}", version=4)


def write_again(run: Run, reports: Path, *, to: Path | None = None, xlsx: bool | None = None) -> WrittenResults:
    """Write the result files of a run as its journal has them; another folder gets them without the heartbeat."""
    places = OutputPaths(to or run.folder, latest=None if to else store.latest_summary_path(run.folder))
    stands = latest_run_status(run.folder, now=iso(datetime.now(UTC)))
    return ResultFiles(run.folder, stands, places, _continuing(run, reports), xlsx=xlsx).write()


def _continuing(run: Run, reports: Path) -> ResumeHint:
    name = store.cli_name(run.folder, reports)
    return ResumeHint(name, f"bulkreact resume {name}")
