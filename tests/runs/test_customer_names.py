"""The names of a run's customers come from its journal: the first cell of each that has one."""

from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.metadata import RunSettings
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import InputRow
from bulkreact.runs.customer_names import customer_names
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
