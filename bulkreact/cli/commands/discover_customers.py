"""Reads customers for a discovery, with what an earlier process has read of them, and says why that stopped short."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from bulkreact.batch.discovery.findings import ReadFailure
from bulkreact.batch.discovery.listing import DiscoveryFilter
from bulkreact.batch.discovery.reader import DiscoveryJob, discover
from bulkreact.batch.discovery.store import KEPT_FOR, DiscoveryStore
from bulkreact.batch.environment import COMPLETED, Phase, StopReason
from bulkreact.cli import credentials
from bulkreact.cli.options import shared
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.early_signals import early_signals
from bulkreact.errors import (
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    EXIT_SUCCESS,
    EXIT_TERMINATED,
    CredentialsRefusedError,
    JournalNotWrittenError,
    ResultsNotWrittenError,
)
from bulkreact.models import Outcome, RunState
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.client import connect
from bulkreact.partnercenter.error_codes.entry import AnswerClass
from bulkreact.partnercenter.error_codes.lookup import lookup
from bulkreact.runs.execution import environment_for
from bulkreact.runs.interruption import ShutdownRequest, install
from bulkreact.runs.partner_lock import locked
from bulkreact.settings import Limits, Service
from bulkreact.wording import plural

_AGAIN = "What was read is kept: the same command goes on from there."


@dataclass(frozen=True, slots=True)
class ChosenCustomers:
    """The customers that are named beforehand, and which of their subscriptions alone are wanted."""

    customers: tuple[str, ...]
    subscriptions: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Gather:
    """What is to be read and from where; ``chosen`` is None when the partner's own list says who the customers are."""

    access: AuthorizedAccess
    service: Service
    limits: Limits
    wanted: DiscoveryFilter
    chosen: ChosenCustomers | None
    reports: Path
    ignore_cache: bool

    @property
    def store(self) -> Path:
        """Return where progress is kept: the same for all commands that read the same."""
        service = self.service
        target = ("simulated",) if service.simulated else (service.base_url, service.api_version, self.access.tenant_id)
        chosen = (self.chosen.customers, sorted(self.chosen.subscriptions)) if self.chosen else None
        key = repr((target, self.wanted, chosen))
        return self.reports / f"discover-{hashlib.sha256(key.encode()).hexdigest()[:12]}.sqlite3"


@contextmanager
def reading(
    ctx: click.Context, wanted: DiscoveryFilter, chosen: ChosenCustomers | None, terminal: ConsoleReporter
) -> Iterator[DiscoveryStore]:
    """Read all customers as the options say, and yield what was read; credentials and lock are those of any command."""
    service, limits = shared.service(ctx), shared.limits(ctx)
    granted = credentials.authorize(ctx, service)
    if granted.refusal:
        raise CredentialsRefusedError(granted.refusal)
    terminal.info_if(granted.remark)
    with locked(service, granted.tenant_id) as tell:
        tell("a discovery")
        job = _Gather(granted, service, limits, wanted, chosen, ctx.params["reports"], ignore_cache=ctx.params["new"])
        with _gathered(job, terminal) as gathering:
            yield gathering


@contextmanager
def _gathered(job: _Gather, terminal: ConsoleReporter) -> Iterator[DiscoveryStore]:
    """Read all customers who are not known yet, and yield the store when that is done.

    Ends the command where nothing can be made of what was read: interrupted, refused, no list of customers.
    """
    now = datetime.now(UTC)
    with DiscoveryStore(job.store, now=now, anew=job.ignore_cache) as gathering:
        if job.chosen and not gathering.listed:
            gathering.set_customers(job.chosen.customers, job.chosen.subscriptions, now=now)
        elif gathering.oldest:
            read = gathering.customers - gathering.unread
            terminal.info(
                f"Going on: {plural(read, 'customer')} of {gathering.customers:,} had been read since {gathering.oldest}. "
                "To read all of them again, add --new."
            )
        interruption = ShutdownRequest(terminal.info)
        install(interruption, early_signals)
        try:
            ending, trouble = asyncio.run(_walk(job, gathering, terminal, interruption))
        except JournalNotWrittenError as error:
            cause = error.__cause__ or error
            raise ResultsNotWrittenError(
                f"What was read could not be kept in {gathering.path}: {cause}. Make room. {_AGAIN}"
            ) from None
        _check(ending, trouble, gathering)
        yield gathering


def _check(ending: StopReason, trouble: ReadFailure | None, gathering: DiscoveryStore) -> None:
    """End the command unless all customers have been gone through."""
    read = f"{gathering.customers - gathering.unread:,} of {plural(gathering.customers, 'customer')} read so far"
    so_far = read if gathering.listed else "the list of customers was not complete yet"
    if ending.state is RunState.INTERRUPTED:
        click.echo(f"Interrupted ({ending.reason}): {so_far}, and nothing was written. {_AGAIN}", err=True)
        raise click.exceptions.Exit(ending.exit_code)
    if ending != COMPLETED:
        raise CredentialsRefusedError(
            f"{ending.reason.rstrip('.')}. Nothing was written. See: bulkreact doctor. {_AGAIN} ({so_far})"
        )
    if trouble:
        click.echo(f"Error: the list of customers could not be read: {described(trouble)}", err=True)
        click.echo("Nothing was written. Try again later, or name customers with --customer.", err=True)
        raise click.exceptions.Exit(EXIT_SOME_FAILED)


def described(trouble: ReadFailure) -> str:
    """Return what was met, for people: HTTP status, code, words, and the ids that Microsoft support asks for."""
    status = f"HTTP {trouble.http_status}, " if trouble.http_status else ""
    words = f"{status}{trouble.code}: {trouble.description.rstrip('.')}"
    return f"{words} (request_id {trouble.request_id}, correlation_id {trouble.correlation_id})"


def kept_hours() -> int:
    """Return for how many hours what was read is not read again."""
    return round(KEPT_FOR.total_seconds() / 3600)


async def _walk(
    job: _Gather, gathering: DiscoveryStore, terminal: ConsoleReporter, interruption: ShutdownRequest
) -> tuple[StopReason, ReadFailure | None]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a discovery needs a task of its own")
    try:
        with interruption.stopping(task):
            return await _read(job, gathering, terminal, interruption)
    except asyncio.CancelledError:
        if not interruption.at_once:
            raise
        task.uncancel()
        code = EXIT_TERMINATED if interruption.terminated else EXIT_INTERRUPTED
        return StopReason(RunState.INTERRUPTED, code, "twice: calls in flight were given up"), None


async def _read(
    job: _Gather, gathering: DiscoveryStore, terminal: ConsoleReporter, interruption: ShutdownRequest
) -> tuple[StopReason, ReadFailure | None]:
    async with AsyncExitStack() as stack:
        service = job.service
        if service.simulated:
            from bulkreact.simulator.partnercenter.service import Behaviour  # noqa: PLC0415
            from bulkreact.simulator.server import serve  # noqa: PLC0415 - the server is loaded only to practise

            base_url, _ = await stack.enter_async_context(serve(Behaviour()))
            service = replace(service, base_url=base_url)
        credentials = job.access.credentials
        client = await stack.enter_async_context(connect(service, job.limits, credentials))
        edges = environment_for(client, credentials, settled=_nothing)

        @contextmanager
        def beginning(phase: Phase) -> Iterator[None]:
            interruption.attach(phase)
            with terminal.phase(phase):
                yield

        found = await discover(DiscoveryJob(gathering, job.wanted, edges, service, job.limits, beginning))
        await credentials.close()
        return found


def _nothing(_number: int, _outcome: Outcome) -> None:
    """Say nothing: there are no rows."""


_CUSTOMERS_SHOWN = 50


_REMEDIES = {
    AnswerClass.CUSTOMER: "Check in Partner Center that the reseller relationship with this customer still stands.",
    AnswerClass.PERMISSION: "Give the account the role Admin Agent, or leave this customer out.",
    AnswerClass.PERMANENT: "Check in Partner Center that this customer is one of yours, and under this id.",
}


def report_unread(gathering: DiscoveryStore) -> int:
    """Say who could not be read, why, and what to do; return the exit code that this leads to."""
    unread = gathering.unread
    if not unread:
        return EXIT_SUCCESS
    _say(f"{plural(unread, 'customer')} of {gathering.customers:,} could not be read, or not completely:")
    more: Counter[str] = Counter()
    for place, (customer_id, name, trouble) in enumerate(gathering.unread_customers()):
        if place >= _CUSTOMERS_SHOWN:
            more[trouble.code if trouble else "not come to"] += 1
            continue
        plan = f", Azure plan {trouble.subscription_id}" if trouble and trouble.subscription_id else ""
        _say(f"  {f'{name} ({customer_id})' if name else customer_id}{plan}")
        _say(f"      {described(trouble) if trouble else 'not come to: everybody was throttled for too long'}")
        _say(f"      {_remedy(trouble)}")
    if more:
        codes = ", ".join(f"{code} ({rows:,})" for code, rows in more.most_common())
        _say(f"  … and {more.total():,} more: {codes}")
    if gathering.has_transient_failures:
        _say(
            f"Give the same command again: for {kept_hours()} hours it reads only what is missing, and then writes all of it."
        )
    return EXIT_SOME_FAILED


def _remedy(trouble: ReadFailure | None) -> str:
    if trouble is None or trouble.transient:
        return "This may pass: give the same command again."
    meaning = lookup(trouble.http_status, trouble.code).meaning if trouble.http_status else None
    explain = f"More: bulkreact explain {trouble.code}"
    return f"{_REMEDIES[meaning]} {explain}" if meaning in _REMEDIES else explain


def _say(words: str) -> None:
    click.echo(words, err=True)
