"""Reads how the targets of a plan stand at present; nothing is reactivated."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack, nullcontext
from dataclasses import replace

import click

from bulkreact.batch.environment import COMPLETED
from bulkreact.batch.journal.preview import PlannedTarget
from bulkreact.batch.verify.spot_check import spot_check
from bulkreact.cli import credentials
from bulkreact.cli.options import shared
from bulkreact.errors import CredentialsRefusedError
from bulkreact.models import Outcome, Target
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.client import connect
from bulkreact.partnercenter.verdicts import StatusRead
from bulkreact.runs.execution import environment_for
from bulkreact.runs.partner_lock import locked
from bulkreact.settings import Limits, Service


def read_online(ctx: click.Context, targets: Iterable[PlannedTarget]) -> dict[int, StatusRead]:
    """Return what was found of targets by the numbers of their rows; what could not be read is missing."""
    service, limits = shared.service(ctx), shared.limits(ctx)
    granted = credentials.authorize(ctx, service)
    if granted.refusal:
        raise CredentialsRefusedError(granted.refusal)
    if granted.remark:
        click.echo(granted.remark, err=True)
    with locked(service, granted.tenant_id) as tell:
        tell("plan")
        return asyncio.run(_read({number: Target(*ids) for number, _, *ids in targets}, service, limits, granted))


async def _read(
    targets: dict[int, Target], service: Service, limits: Limits, granted: AuthorizedAccess
) -> dict[int, StatusRead]:
    async with AsyncExitStack() as stack:
        if service.simulated:
            from bulkreact.simulator.partnercenter.service import Behaviour  # noqa: PLC0415
            from bulkreact.simulator.server import serve  # noqa: PLC0415 - the server is loaded only to practise

            base_url, _ = await stack.enter_async_context(serve(Behaviour()))
            service = replace(service, base_url=base_url)
        client = await stack.enter_async_context(connect(service, limits, granted.credentials))
        edges = environment_for(client, granted.credentials, settled=_nothing)
        ending, found = await spot_check(
            targets, environment=edges, service=service, limits=limits, beginning=lambda _phase: nullcontext()
        )
        await granted.credentials.close()
    if ending != COMPLETED:
        raise CredentialsRefusedError(f"The present status could not be read: {ending.reason}")
    return found


def _nothing(_number: int, _outcome: Outcome) -> None:
    """Say nothing of single rows."""
