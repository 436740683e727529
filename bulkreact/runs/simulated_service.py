"""Starts the simulator for a simulated command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bulkreact.batch.journal.call_log import WriteCall
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import Kind, Operation
from bulkreact.runs import store
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import serve
from bulkreact.timestamps import utc_now


@asynccontextmanager
async def simulator(run: Path | None) -> AsyncIterator[str]:
    """Serve a simulated partner that replays what a run and those it retries have sent; yield its base URL."""
    async with serve(Behaviour()) as (base_url, service):
        now = utc_now()
        for folder in store.retry_lineage(run) if run else []:
            with JournalReader(folder) as journal:
                for write in journal.write_calls():
                    _replay(service, write, ago=max(0.0, (now - write.started_at).total_seconds()))
        yield base_url


def _replay(service: PartnerCenter, write: WriteCall, *, ago: float) -> None:
    target = write.target
    if target.kind is Kind.AZURE:
        service.replay((target.customer_id, target.subscription_id, target.entitlement_id), write.request_id, ago=ago)
        return
    service.replay_update(
        target.customer_id,
        target.subscription_id,
        write.request_id,
        ago=ago,
        restores_auto_renew=write.operation is Operation.RESTORE_AUTO_RENEW,
    )
