"""Opens a connection with the partner API from a command's options."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import click
from click.core import ParameterSource
from msgspec.structs import replace

from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.cli import credentials
from bulkreact.cli.command import control_of
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of
from bulkreact.errors import CredentialsRefusedError, InputRefusedError
from bulkreact.runs.interruption import ShutdownRequest
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, refuse_input
from bulkreact.runs.partner_connection import PartnerConnection, partner_connection
from bulkreact.runs.reporter import Reporter
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_trust import refuse_unknown_addresses
from bulkreact.settings import Cloud, Limits, Service


def open_run_connection(
    ctx: click.Context, run: Run, limits: Limits, reporter: Reporter
) -> AbstractContextManager[PartnerConnection]:
    """Return a connection to the partner API and tenant of a run."""
    metadata = run.metadata
    _confirm_addresses(ctx, metadata)
    if path := ctx.params["results"]:
        refuse_input(OutputPath("--results", path, OutputKind.RESULTS), metadata.input_sha256)
    service = Service(
        Cloud(metadata.cloud),
        metadata.base_url,
        metadata.api_version,
        simulated=metadata.simulated,
        locale=metadata.settings.locale,
    )
    return open_connection(ctx, service, limits, reporter, run=metadata)


def _confirm_addresses(ctx: click.Context, metadata: RunMetadata) -> None:
    """Raise InputRefusedError unless the addresses of a run's journal are the cloud's, this machine's or the settings'."""
    base_url, authority = ctx.params["base_url"], ctx.params["authority"]
    is_named = ctx.get_parameter_source("base_url") is ParameterSource.COMMANDLINE
    if is_named and base_url != metadata.base_url:
        raise InputRefusedError(
            f"Run {metadata.id} is for {metadata.base_url}, and --base-url names {base_url}: a run keeps its address. "
            "Leave --base-url out, or run the input with --new."
        )
    if ctx.get_parameter_source("authority") is ParameterSource.COMMANDLINE:
        # It is used, and not the journal's.
        metadata = replace(metadata, settings=replace(metadata.settings, authority=""))
    refuse_unknown_addresses(
        metadata, base_urls=[base_url] if base_url else [], authorities=[authority] if authority else []
    )


@contextmanager
def open_connection(
    ctx: click.Context,
    service: Service,
    limits: Limits,
    reporter: Reporter,
    *,
    run: RunMetadata | None = None,
    token_needed: bool = False,
) -> Iterator[PartnerConnection]:
    """Yield a connection with the credentials of the options; ``run`` is what continues, if anything.

    Without a token a run still ends with a journal that says so; ``token_needed`` raises CredentialsRefusedError.
    """
    access = credentials.authorize(ctx, service, run=run)
    if token_needed and access.refusal:
        raise CredentialsRefusedError(access.refusal)
    shutdown = ShutdownRequest(reporter.info, invocation_of(ctx).signals)
    wait = bool(ctx.params.get("wait"))
    with partner_connection(
        service, limits, access, reporter, shutdown, run_async, wait=wait, control=control_of(ctx)
    ) as connection:
        given = {name: value for name in ("operator", "page") if (value := ctx.params.get(name))}
        yield replace(connection, **given)
