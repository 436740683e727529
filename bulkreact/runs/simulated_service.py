"""The simulated partner of a run that only practises."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from bulkreact.batch.journal.call_log import Write
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import Kind, Operation
from bulkreact.runs import store
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import serve


@asynccontextmanager
async def simulator(run: Path) -> AsyncIterator[str]:
    """Serve a simulated partner that remembers what earlier processes have sent to one; yield its base URL."""
    async with serve(Behaviour()) as (base_url, world):
        now = datetime.now(UTC)
        for folder in store.retry_lineage(run):
            with JournalReader(folder) as journal:
                for write in journal.write_calls():
                    _recall(world, write, ago=(now - write.began).total_seconds())
        yield base_url


def _recall(world: PartnerCenter, write: Write, *, ago: float) -> None:
    target = write.target
    if target.kind is Kind.AZURE:
        world.replay((target.customer_id, target.subscription_id, target.entitlement_id), write.request_id, ago=ago)
        return
    world.replay_update(
        target.customer_id,
        target.subscription_id,
        write.request_id,
        ago=ago,
        restores_auto_renew=write.operation is Operation.RESTORE_AUTO_RENEW,
    )
