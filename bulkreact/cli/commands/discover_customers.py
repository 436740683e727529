"""Reads customers for a discovery, continuing an earlier process's reads, and reports what could not be read."""

import hashlib
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from msgspec import Struct

from bulkreact.batch.discovery.listing import DiscoveryFilter, ReadFailure
from bulkreact.batch.discovery.reader import DiscoveryJob, discover
from bulkreact.batch.discovery.store import STORED_FOR, DiscoveryStore
from bulkreact.batch.environment import COMPLETED, RunEnvironment, StopReason
from bulkreact.cli.connection import open_connection
from bulkreact.cli.options import shared
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import (
    EXIT_SOME_FAILED,
    EXIT_SUCCESS,
    CredentialsRefusedError,
    JournalNotWrittenError,
    OutputNotWrittenError,
    ResultsNotWrittenError,
)
from bulkreact.models import RunState
from bulkreact.partnercenter.error_codes.entry import AnswerClass
from bulkreact.partnercenter.error_codes.lookup import lookup
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, check_again
from bulkreact.runs.partner_connection import PartnerConnection
from bulkreact.runs.reporter import Reporter
from bulkreact.settings import Service
from bulkreact.wording import describe_error, plural

_CUSTOMERS_SHOWN = 50
_CONTINUE = "What was read is kept: the same command goes on from there."
_REMEDIES = {
    AnswerClass.CUSTOMER: "Check in Partner Center that the reseller relationship with this customer still stands.",
    AnswerClass.PERMISSION: "Give the account the role Admin Agent, or leave this customer out.",
    AnswerClass.PERMANENT: "Check in Partner Center that this customer is one of yours, and under this id.",
}


class ChosenCustomers(Struct, frozen=True):
    """The customers that the user selected and, optionally, the only subscriptions to read for them."""

    customers: tuple[str, ...]
    subscriptions: frozenset[tuple[str, str]] = frozenset()


def store_path(
    reports: Path, service: Service, tenant_id: str, criteria: DiscoveryFilter, chosen: ChosenCustomers | None
) -> Path:
    """Return where progress is stored: the same file for all commands that read the same customers."""
    target = ("simulated",) if service.simulated else (service.base_url, service.api_version, tenant_id)
    included = f"subscriptions={criteria.subscriptions}, entitlements={criteria.entitlements}, active={criteria.active}"
    selection = (chosen.customers, sorted(chosen.subscriptions)) if chosen else None
    # Written out, and with the word of earlier versions, so that progress is found whatever the classes are called.
    key = f"({target!r}, Wanted({included}, only={criteria.only!r}), {selection!r})"
    return reports / f"discover-{hashlib.sha256(key.encode()).hexdigest()[:12]}.sqlite3"


@contextmanager
def read_customers(
    ctx: click.Context, criteria: DiscoveryFilter, chosen: ChosenCustomers | None, reporter: Reporter
) -> Iterator[DiscoveryStore]:
    """Read all unread customers, then yield the store.

    ``chosen`` is None if the partner's list names the customers. Ends the command if the store is of no use:
    interrupted, refused, no list of customers.
    """
    service, limits = shared.read_service(ctx), shared.read_limits(ctx)
    with open_connection(ctx, service, limits, reporter, token_needed=True) as connection:
        connection.record_run("a discovery")
        path = store_path(ctx.params["reports"], service, connection.access.tenant_id, criteria, chosen)
        now = connection.now()
        with DiscoveryStore(path, now=now, ignore_cache=ctx.params["new"]) as store:
            if chosen and not store.is_listed:
                store.set_customers(chosen.customers, chosen.subscriptions, now=now)
            elif store.oldest_read_at:
                read = store.customer_count - store.unread_count
                reporter.info(
                    f"Continuing: {plural(read, 'customer')} of {store.customer_count:,} had been read since {store.oldest_read_at}. "
                    "To read all of them again, add --new."
                )
            _check(*_read(connection, store, criteria), store)
            yield store


def _read(
    connection: PartnerConnection, store: DiscoveryStore, criteria: DiscoveryFilter
) -> tuple[StopReason, ReadFailure | None]:
    async def work(environment: RunEnvironment, service: Service) -> tuple[StopReason, ReadFailure | None]:
        return await discover(DiscoveryJob(store, criteria, environment, service, connection.limits, connection.phase))

    connection.shutdown.install()
    try:
        result = connection.run(work)
    except JournalNotWrittenError as error:
        cause = describe_error(error.__cause__ or error)
        raise ResultsNotWrittenError(
            f"What was read could not be kept in {store.path}: {cause}. Make room. {_CONTINUE}"
        ) from None
    return (result, None) if isinstance(result, StopReason) else result


def _check(stop_reason: StopReason, failure: ReadFailure | None, store: DiscoveryStore) -> None:
    """End the command unless all customers were processed."""
    read = f"{store.customer_count - store.unread_count:,} of {plural(store.customer_count, 'customer')} read so far"
    so_far = read if store.is_listed else "the list of customers was not complete yet"
    if stop_reason.state is RunState.INTERRUPTED:
        _print(f"Interrupted ({stop_reason.reason}): {so_far}, and nothing was written. {_CONTINUE}")
        raise click.exceptions.Exit(stop_reason.exit_code)
    if stop_reason != COMPLETED:
        raise CredentialsRefusedError(
            f"{stop_reason.reason.rstrip('.')}. Nothing was written. See: bulkreact doctor. {_CONTINUE} ({so_far})"
        )
    if failure:
        _print(f"Error: the list of customers could not be read: {describe(failure)}")
        _print("Nothing was written. Try again later, or name customers with --customer.")
        raise click.exceptions.Exit(EXIT_SOME_FAILED)


def describe(failure: ReadFailure) -> str:
    """Describe a failure: HTTP status, code, description, and the ids that Microsoft support asks for."""
    status = f"HTTP {failure.http_status}, " if failure.http_status else ""
    message = f"{status}{failure.code}: {failure.description.rstrip('.')}"
    return f"{message} (request_id {failure.request_id}, correlation_id {failure.correlation_id})"


def report_unread(store: DiscoveryStore) -> int:
    """Print which customers could not be read, why, and what to do; return the exit code."""
    unread, list_failure = store.unread_count, store.list_failure
    if list_failure:
        _print(f"The list of customers could not be read completely: {describe(list_failure)}")
        _print(f"      {_remedy(list_failure)}")
    if unread:
        _print(f"{plural(unread, 'customer')} of {store.customer_count:,} could not be read, or not completely:")
        _report_customers(store)
    if store.has_transient_failures:
        hours = round(STORED_FOR.total_seconds() / 3600)
        _print(
            f"Give the same command again: for {hours} hours it reads only what is missing, and then writes all of it."
        )
    return EXIT_SOME_FAILED if unread or list_failure else EXIT_SUCCESS


def _report_customers(store: DiscoveryStore) -> None:
    more: Counter[str] = Counter()
    for index, (customer_id, name, failure) in enumerate(store.unread_customers()):
        if index >= _CUSTOMERS_SHOWN:
            more[failure.code if failure else "not reached"] += 1
            continue
        plan = f", Azure plan {failure.subscription_id}" if failure and failure.subscription_id else ""
        _print(f"  {f'{name} ({customer_id})' if name else customer_id}{plan}")
        _print(f"      {describe(failure) if failure else 'not reached: all calls were throttled for too long'}")
        _print(f"      {_remedy(failure)}")
    if more:
        codes = ", ".join(f"{code} ({rows:,})" for code, rows in more.most_common())
        _print(f"  … and {more.total():,} more: {codes}")


def _remedy(failure: ReadFailure | None) -> str:
    if failure is None or failure.transient:
        return "This may be temporary. Run the same command again."
    meaning = lookup(failure.http_status, failure.code).answer_class if failure.http_status else None
    explain = f"More: bulkreact explain {failure.code}"
    return f"{_REMEDIES[meaning]} {explain}" if meaning in _REMEDIES else explain


def write_output(out: Path | None, write: Callable[[Path], None], write_lines: Callable[[TextIO], None]) -> None:
    """Write a file atomically, or lines to standard output; what was read is kept for another try."""
    try:
        if out:
            check_again(OutputPath("--out", out, OutputKind.DISCOVERY))
            write(out)
            return
        with _standard_output() as file:
            write_lines(file)
    except (OSError, OutputNotWrittenError) as error:
        message = f"{out} could not be written: {describe_error(error)}." if isinstance(error, OSError) else str(error)
        raise ResultsNotWrittenError(
            f"{message} What was read is kept: the same command reads nothing again."
        ) from None


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    """Yield standard output as UTF-8 on every platform, without translating line ends; on a terminal as text for people."""
    if sys.stdout.isatty():
        text = io.StringIO(newline="")
        yield text
        echo(text.getvalue(), end="")
        return
    file = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    try:
        yield file
        file.flush()
    finally:
        # Closing the wrapper would close standard output.
        file.detach()


def _print(message: str) -> None:
    echo(message, err=True)
