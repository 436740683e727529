"""Finds what other runs have reactivated since a run, by its ids: a corrected or copied file may have any name and place."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.reading import JournalReader, RestingJournalReader
from bulkreact.errors import JournalUnreadableError
from bulkreact.models import Target
from bulkreact.runs.index import list_runs
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_trust import foreign_run


class LaterSuccess(Struct, frozen=True):
    """When a target was sent successfully, and by which run."""

    sent_at: str
    run_id: str


def find_successes(run: Run, journal: JournalReader) -> Mapping[Target, LaterSuccess]:
    """Return what other runs beside a run have reactivated since it was made, in the subscriptions of its open rows.

    The latest run of each target is named. Runs that cannot be read, or that others may have written, tell nothing.
    """
    others = [other for other in list_runs(run.folder.parent).runs if _may_have_settled(other, run)]
    subscriptions = journal.open_subscriptions() if others else ""
    found = dict[Target, LaterSuccess]()
    for other in others:
        with suppress(JournalUnreadableError), _open(other.folder) as reader:
            for success in reader.successes(subscriptions):
                earlier = found.get(success.target)
                if earlier is None or earlier.sent_at < success.sent_at:
                    found[success.target] = LaterSuccess(success.sent_at, other.metadata.id)
    return found


def _open(folder: Path) -> JournalReader:
    # Of thousands of runs hardly any has a log, and making one costs as much as reading.
    has_log = folder.joinpath(f"{JOURNAL_NAME}-wal").exists()
    return JournalReader(folder) if has_log else RestingJournalReader(folder)


def _may_have_settled(other: Run, run: Run) -> bool:
    """Return whether a run has sent anything to the same partner after another was made."""
    if other.session is None or (other.session.ended_at or run.created_at) < run.created_at:
        return False
    tenants = {other.metadata.tenant_id, run.metadata.tenant_id} - {None}
    return other.metadata.target == run.metadata.target and len(tenants) <= 1 and not foreign_run(other.folder)
