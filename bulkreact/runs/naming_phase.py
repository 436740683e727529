"""Shows the customers that a phase waits for by their names."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.batch.environment import Phase, WaitState
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import JournalUnreadableError
from bulkreact.runs.customer_names import customer_label

_BeginPhase = Callable[[Phase], AbstractContextManager[None]]


class _NameLookups(Struct):
    """Looks customers up in threads: in a long journal that takes longer than the event loop may wait."""

    folder: Path
    lookups: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    def find(self, customer: str) -> str:
        """Return the name of a customer, or its id until the name is known."""
        if customer not in self.lookups:
            self.lookups[customer] = asyncio.get_running_loop().run_in_executor(None, self._look_up, customer)
        lookup = self.lookups[customer]
        return lookup.result() if lookup.done() else customer

    def _look_up(self, customer: str) -> str:
        try:
            with JournalReader(self.folder) as journal:
                return customer_label(journal, customer)
        except JournalUnreadableError:
            return customer


class _NamingPhase:
    """A phase that waits for customers by name."""

    def __init__(self, phase: Phase, names: _NameLookups) -> None:
        self.progress = phase.progress
        self._phase = phase
        self._names = names

    @property
    def title(self) -> str:
        return self._phase.title

    @property
    def stopping(self) -> bool:
        return self._phase.stopping

    def wait_state(self) -> WaitState:
        waits = self._phase.wait_state()
        return replace(waits, customer=self._names.find(waits.customer)) if waits.customer else waits

    def interrupt(self, *, terminated: bool) -> None:
        self._phase.interrupt(terminated=terminated)


def naming_customers(begin_phase: _BeginPhase, folder: Path) -> _BeginPhase:
    """Return the function that begins a phase whose customers are called as in the journal of a folder."""
    names = _NameLookups(folder)
    return lambda phase: begin_phase(_NamingPhase(phase, names))
