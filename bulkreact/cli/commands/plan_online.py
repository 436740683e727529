"""Reads the current status of a plan's targets; nothing is reactivated."""

from collections.abc import Iterable
from pathlib import Path

import click

from bulkreact.batch.environment import COMPLETED, RunEnvironment, StopReason
from bulkreact.batch.journal.preview import PlannedTarget
from bulkreact.batch.verify.spot_check import spot_check
from bulkreact.cli.connection import open_connection
from bulkreact.cli.options import shared
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.errors import CredentialsRefusedError
from bulkreact.models import RunState, Target
from bulkreact.partnercenter.verdicts import StatusRead
from bulkreact.runs.output_options import Output
from bulkreact.settings import Service


def read_online(ctx: click.Context, targets: Iterable[PlannedTarget]) -> dict[int, StatusRead]:
    """Return what was read of targets by row number; what could not be read is missing."""
    limits = shared.read_limits(ctx)
    # Nothing is written: no folder is needed.
    reporter = ConsoleReporter(Output(Path(), progress=False))

    async def work(environment: RunEnvironment, service: Service) -> tuple[StopReason, dict[int, StatusRead]]:
        by_row = {number: Target(*ids) for number, _, *ids in targets}
        return await spot_check(
            by_row, environment=environment, service=service, limits=limits, begin_phase=connection.phase
        )

    with open_connection(ctx, shared.read_service(ctx), limits, reporter, token_needed=True) as connection:
        connection.record_run("plan")
        with connection.shutdown.handling_signals():
            result = connection.run(work)
    stop_reason, statuses = (result, {}) if isinstance(result, StopReason) else result
    if stop_reason.state is RunState.INTERRUPTED:
        reporter.info("Interrupted. Nothing was sent.")
        raise click.exceptions.Exit(stop_reason.exit_code)
    if stop_reason != COMPLETED:
        raise CredentialsRefusedError(f"The present status could not be read: {stop_reason.reason}")
    return statuses
