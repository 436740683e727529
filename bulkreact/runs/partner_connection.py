"""What every command that calls the partner needs: lock, credentials, client and signals."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from random import getrandbits, random
from time import monotonic
from typing import Protocol, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.batch.environment import Phase, RunEnvironment, StopReason
from bulkreact.guids import format_guid
from bulkreact.library_loading import loading_aiohttp
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.control_folder import ControlFolder
from bulkreact.runs.interruption import ShutdownRequest
from bulkreact.runs.partner_lock import hold_partner_lock
from bulkreact.runs.reporter import Reporter
from bulkreact.runs.work_report import Activity
from bulkreact.settings import Limits, Service
from bulkreact.steady_clock import SteadyClock

T = TypeVar("T")


class RunAsync(Protocol):
    """Runs a coroutine to completion in a new event loop, like ``asyncio.run``."""

    def __call__(self, main: Coroutine[object, object, T], /) -> T:
        """Return the coroutine's result."""
        ...


class PartnerConnection(Struct, frozen=True):
    """A command's connection with the partner API.

    ``record_run`` records in the partner's lock which run has it.
    """

    service: Service
    limits: Limits
    access: AuthorizedAccess
    reporter: Reporter
    shutdown: ShutdownRequest
    run_async: RunAsync
    record_run: Callable[[str], None]
    now: Callable[[], datetime] = field(default_factory=SteadyClock)
    control: ControlFolder | None = None
    operator: str = field(default_factory=store.operator)
    page: str = ""

    def run(
        self, work: Callable[[RunEnvironment, Service], Awaitable[T]], *, folder: Path | None = None
    ) -> T | StopReason:
        """Connect and do async work; a second signal cancels it, and the reason is returned instead of its result.

        A simulator is given what the run in ``folder`` has sent before.
        """
        return self.run_async(self.shutdown.guard(self._work_with_client(work, folder)))

    async def _work_with_client(
        self, work: Callable[[RunEnvironment, Service], Awaitable[T]], folder: Path | None
    ) -> T:
        with loading_aiohttp():
            from bulkreact.partnercenter.client import connect  # noqa: PLC0415 - aiohttp takes 100 ms to import

        credentials = self.access.credentials
        async with (
            start_simulator_if_needed(self.service, folder) as service,
            connect(service, self.limits, credentials, self.access.redactor) as client,
        ):
            environment = RunEnvironment(
                send=client.send,
                is_token_fresh=credentials.is_fresh,
                ensure_token=credentials.ensure_token,
                renew_token=credentials.renew,
                now=self.now,
                monotonic=monotonic,
                chance=random,
                new_id=_new_id,
                on_settled=self.reporter.row_settled,
                on_outage=self.reporter.outage,
            )
            result = await work(environment, service)
            await credentials.close()
            return result

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Show a phase and let signals stop it within the context."""
        self.shutdown.attach(phase)
        with self.reporter.phase(phase), self.control.phase(phase) if self.control else nullcontext():
            yield


@contextmanager
def partner_connection(
    service: Service,
    limits: Limits,
    access: AuthorizedAccess,
    reporter: Reporter,
    shutdown: ShutdownRequest,
    run_async: RunAsync,
    *,
    wait: bool = False,
    control: ControlFolder | None = None,
) -> Iterator[PartnerConnection]:
    """Yield a connection that holds the partner's lock; AlreadyRunningError unless it should ``wait``."""

    def report_waiting(message: str) -> None:
        reporter.info(message)
        if control:
            control.report(Activity.WAITING, message)

    reporter.info(access.remark)
    if control:
        control.attach(shutdown)
    with hold_partner_lock(service, access.tenant_id, on_wait=report_waiting if wait else None) as record_run:
        if control:
            control.report(Activity.PREPARING, "Preparing the run")
        yield PartnerConnection(service, limits, access, reporter, shutdown, run_async, record_run, control=control)


@asynccontextmanager
async def start_simulator_if_needed(service: Service, folder: Path | None = None) -> AsyncIterator[Service]:
    """Yield the service to call: the named one, or a simulator started for this."""
    if not service.simulated:
        yield service
        return
    from bulkreact.runs.simulated_service import simulator  # noqa: PLC0415 - the server is loaded only to practise

    async with simulator(folder) as base_url:
        yield replace(service, base_url=base_url)


def _new_id() -> str:
    # It must be unique, not secret; asking the system each time would take three times as long.
    return format_guid(f"{getrandbits(128):032x}", version=4)
