"""Finds what other runs have reactivated since a run, by its ids: a corrected or copied file may have any name and place."""

from collections.abc import Mapping
from contextlib import suppress

from msgspec import Struct

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import JournalUnreadableError
from bulkreact.models import Target
from bulkreact.runs.index import list_runs
from bulkreact.runs.run_record import Run


class LaterSuccess(Struct, frozen=True):
    """When a target was sent successfully, and by which run."""

    sent_at: str
    run_id: str


def find_successes(run: Run, journal: JournalReader) -> Mapping[Target, LaterSuccess]:
    """Return those targets that a run has not reactivated, and a run beside it has since: the latest of each.

    Runs that cannot be read tell nothing.
    """
    others = [other for other in list_runs(run.folder.parent).runs if _may_have_settled(other, run)]
    # Of a million ids only the hashes are kept: an eighth of the memory.
    open_targets = {hash(target) for target in journal.open_targets()} if others else set[int]()
    found = dict[Target, LaterSuccess]()
    for other in others:
        with suppress(JournalUnreadableError), JournalReader(other.folder) as reader:
            for success in reader.successes():
                target, earlier = success.target, found.get(success.target)
                if hash(target) in open_targets and not (earlier and earlier.sent_at > success.sent_at):
                    found[target] = LaterSuccess(success.sent_at, other.metadata.id)
    return found


def _may_have_settled(other: Run, run: Run) -> bool:
    """Return whether a run has sent anything to the same partner after another was made."""
    if other.session is None or (other.session.ended_at or run.created_at) < run.created_at:
        return False
    tenants = {other.metadata.tenant_id, run.metadata.tenant_id} - {None}
    return other.metadata.target == run.metadata.target and len(tenants) <= 1
