"""Searches by ``bulkreact discover`` in processes of their own, one at a time; they are found again after a restart."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec.structs import replace

from bulkreact.batch.discovery.store import is_discovering, read_stored
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, AlreadyRunningError, BulkreactError
from bulkreact.models import Discovered
from bulkreact.partnercenter.error_codes.page_advice import advise_here
from bulkreact.sheets.output import discovery_file
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web import processes, run_watch
from bulkreact.web.background_tasks import BackgroundTasks
from bulkreact.web.found_rows import read_found, summarize_found
from bulkreact.web.processes import ChildProcess
from bulkreact.web.refusals import RequestRefusedError, describe_problem
from bulkreact.web.search_records import Search, SearchRecords, SearchState
from bulkreact.web.serve_settings import ServeSettings

_MOST_WAITING = 20
_LOOK_EVERY = 0.5
# A process that was ended from outside is started again so often; it goes on with what was not read.
_ATTEMPTS = 3
_TRIED_AGAIN = frozenset({EXIT_INTERRUPTED, EXIT_TERMINATED, AlreadyRunningError.exit_code})


class Searches:
    """The searches of a server."""

    def __init__(self, settings: ServeSettings, now: Callable[[], datetime], warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._now = now
        self._warn = warn
        self.records = SearchRecords(settings.data)
        self._turn = asyncio.Semaphore()
        self._tasks = BackgroundTasks()
        self._begun: dict[int, ChildProcess | None] = {}

    def refuse_long_line(self) -> None:
        """Raise RequestRefusedError if too many searches wait for their turn."""
        if len(self._tasks) > _MOST_WAITING:
            raise RequestRefusedError(
                "rate-limited", "Many searches wait for their turn. Stop one, or try again later.", retry_after=60
            )

    def begin(self, search: Search) -> None:
        """Search as soon as it is its turn, unless that was begun or is over."""
        if search.is_open and search.number not in self._tasks:
            self._tasks.begin(search.number, self._try(search))

    async def begin_again(self) -> None:
        """Go on with what was open when the server ended."""
        for search in reversed(await asyncio.to_thread(self.records.newest)):
            if search.target == self._settings.target:
                self.begin(search)

    def waits_for(self, number: int) -> int | None:
        """Return which search must end before this one can begin, None if it has begun."""
        return None if number in self._begun else next(iter(self._begun), None)

    async def stop(self, number: int) -> None:
        """Stop a search; what it has found is kept."""
        search = await asyncio.to_thread(self.records.change, number, SearchState.STOPPING, self._time())
        await asyncio.to_thread(run_watch.ask_to_stop, self.records.control(number))
        if search.is_open and number not in self._begun:
            self._tasks.cancel(number)
            await asyncio.to_thread(self.records.change, number, SearchState.STOPPED, self._time())

    async def close(self) -> None:
        """Stop to look after the searches; their processes are left alone."""
        await self._tasks.close()

    def remove_old_files(self, limit: str) -> None:
        """Remove searches that ended before a time, but the newest one: no number is used again."""
        for search in self.records.newest()[1:]:
            if not search.is_open and search.changed_at < limit:
                shutil.rmtree(self.records.folder(search.number), ignore_errors=True)

    async def _try(self, search: Search) -> None:
        try:
            async with self._turn:
                self._begun[search.number] = None
                code = await self._work(search)
            await asyncio.to_thread(self._end, search, code)
        except (OSError, RequestRefusedError, BulkreactError) as error:
            # It stays open; the next server goes on with it.
            reason = str(error) if isinstance(error, BulkreactError) else describe_problem(error)
            self._warn(f"Search {search.number} cannot go on: {reason}")
        finally:
            self._begun.pop(search.number, None)

    async def _work(self, search: Search) -> int | None:
        """Return how its process has ended; None if there is none any more, or it never began."""
        number, records, code = search.number, self.records, None
        for _ in range(_ATTEMPTS):
            await self._wait_for_other(number)
            if not await asyncio.to_thread(self._prepare, number):
                return None
            child = processes.start(self._arguments(search), records.log(number), environment={})
            self._begun[number] = child
            code = await child.wait()
            if code >= 0 and code not in _TRIED_AGAIN:
                return code
            await asyncio.sleep(_LOOK_EVERY)
        return code

    async def _wait_for_other(self, number: int) -> None:
        """Wait for a process that another server has started."""
        while await asyncio.to_thread(is_discovering, self.records.reports(number)):
            if self._is_stopping(number):
                await asyncio.to_thread(run_watch.ask_to_stop, self.records.control(number))
            await asyncio.sleep(_LOOK_EVERY)

    def _prepare(self, number: int) -> bool:
        """Remove what an earlier process has left; return whether there is something to be done."""
        if self.records.complete(number).exists():
            return False
        run_watch.clear_control(self.records.control(number))
        self.records.log(number).unlink(missing_ok=True)
        return not self._is_stopping(number)

    def _arguments(self, search: Search) -> list[str]:
        number, records = search.number, self.records
        return [
            "discover",
            *self._settings.arguments["discover"],
            f"--reports={records.reports(number)}",
            f"--out={records.complete(number)}",
            f"--control={records.control(number)}",
            f"--kind={search.kind}",
            *(f"--status={status}" for status in search.statuses),
            *(f"--customer={customer}" for customer in search.customers),
            "--wait",
            "-q",
        ]

    def _is_stopping(self, number: int) -> bool:
        search = self.records.find(number)
        return search is not None and search.state is SearchState.STOPPING

    def _end(self, search: Search, code: int | None) -> None:
        number, records = search.number, self.records
        state = SearchState.DONE
        if not records.complete(number).exists():
            state = SearchState.STOPPED if self._is_stopping(number) else SearchState.FAILED
            discovery_file.write(records.partial(number), self._stored(search))
        self._name_customers(search)
        found = summarize_found(records.found(number), self._now())
        message = advise_here(records.read_log(number)) if state is not SearchState.STOPPED else ""
        if state is SearchState.FAILED and not message:
            message = f"Its process has ended with exit code {code}."
        records.change(number, state, self._time(), found=found, message=message)
        # Only now: what a killed server has not recorded is looked at once more.
        shutil.rmtree(records.reports(number), ignore_errors=True)

    def _name_customers(self, search: Search) -> None:
        """Give customers that were searched for by their ids the names that the latest search of all has read."""
        of_all = (other for other in self.records.newest() if other.target == search.target and not other.customers)
        latest = next((other for other in of_all if self.records.found(other.number).exists()), None)
        if not search.customers or latest is None:
            return
        known = (row for _, row in read_found(self.records.found(latest.number)))
        names = {row.customer_id.lower(): row.customer_name for row in known}
        path = self.records.found(search.number)
        rows = [row for _, row in read_found(path)]
        discovery_file.write(
            path,
            (replace(row, customer_name=row.customer_name or names.get(row.customer_id.lower(), "")) for row in rows),
        )

    def _stored(self, search: Search) -> Iterator[Discovered]:
        """Yield what a search has found that did not come to its end."""
        statuses = {status.casefold() for status in search.statuses}
        for row in read_stored(self.records.reports(search.number), self._now()):
            if not statuses or row.status.casefold() in statuses:
                yield row

    def _time(self) -> str:
        return iso_milliseconds(self._now())
