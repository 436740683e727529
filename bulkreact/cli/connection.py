"""Opens a connection with the partner API from a command's options."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import click

from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.cli import credentials
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of
from bulkreact.errors import CredentialsRefusedError
from bulkreact.runs.index import Run
from bulkreact.runs.interruption import ShutdownRequest
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, refuse_input
from bulkreact.runs.partner_connection import PartnerConnection, partner_connection
from bulkreact.runs.reporter import Reporter
from bulkreact.settings import Cloud, Limits, Service


def open_run_connection(
    ctx: click.Context, run: Run, limits: Limits, reporter: Reporter
) -> AbstractContextManager[PartnerConnection]:
    """Return a connection to the partner API and tenant of a run."""
    metadata = run.metadata
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
    with partner_connection(service, limits, access, reporter, shutdown, run_async, wait=wait) as connection:
        yield connection
