"""The names of a run's customers come from its journal: the first cell of each that has one."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from bulkreact.batch.environment import Phase, PhaseProgress, WaitState
from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.metadata import RunSettings
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import InputRow
from bulkreact.runs.customer_names import customer_names
from bulkreact.runs.naming_phase import naming_customers
from tests.support.ids import HEADER, guid, metadata, target

ROWS = [(1, "", "x"), (1, " First ", "y"), (1, "Second", ""), (2, guid(2), "z"), (3, "Third", ""), (4, "", "")]


def make_journal(folder: Path, settings: RunSettings) -> Path:
    """Make a journal whose rows have two columns with names."""
    rows = (
        InputRow(number, (*"abc", name, other), target(guid(number), customer))
        for number, (customer, name, other) in enumerate(ROWS, 2)
    )
    create(folder, rows)
    finalize(folder, metadata(header=(*HEADER, "Kunde", "Ort"), settings=settings))
    return folder


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (RunSettings(), {1: "First", 3: "Third"}),
        (RunSettings(name_header="Ort"), {1: "x", 2: "z"}),
    ],
)
def test_the_first_name_of_each_customer_is_found(tmp_path: Path, settings: RunSettings, names: dict[int, str]) -> None:
    with JournalReader(make_journal(tmp_path, settings)) as journal:
        asked = [target("", customer).customer_id for customer in (1, 2, 3, 4, 5)]
        expected = {target("", customer).customer_id: name for customer, name in names.items()}
        assert customer_names(journal, asked) == expected
        assert customer_names(journal, asked[:1]) == dict([*expected.items()][:1])


class ThrottledPhase:
    """A phase that waits for one customer."""

    title = "Reactivating"
    stopping = False

    def __init__(self, customer: str) -> None:
        self.progress = PhaseProgress(1)
        self.customer = customer

    def wait_state(self) -> WaitState:
        return WaitState(customers=bool(self.customer), customer=self.customer)

    def interrupt(self, *, terminated: bool) -> None:
        self.stopping = terminated


@pytest.mark.parametrize(("customer", "name"), [(1, "First"), (2, ""), (4, ""), (5, ""), (None, "")])
def test_a_phase_waits_for_customers_by_name(tmp_path: Path, customer: int | None, name: str) -> None:
    phase = ThrottledPhase("" if customer is None else target("", customer).customer_id)
    shown: list[Phase] = []

    def begin(begun: Phase) -> AbstractContextManager[None]:
        shown.append(begun)
        return nullcontext()

    async def watch() -> tuple[str, str]:
        with naming_customers(begin, make_journal(tmp_path, RunSettings()))(phase):
            first = shown[0].wait_state().customer
            # What looks names up ends with the loop at the latest.
            await asyncio.get_running_loop().shutdown_default_executor()
            await asyncio.sleep(0)
            return first, shown[0].wait_state().customer

    first, second = asyncio.run(watch())
    assert (first, second) == (phase.customer, name or phase.customer)
    shown[0].interrupt(terminated=True)
    assert (shown[0].title, shown[0].stopping, shown[0].progress) == (phase.title, True, phase.progress)
