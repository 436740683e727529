"""Hands the rows of a retry over: the runs that owned them send them no more.

A retry is published before its rows are marked in other journals, so a process that ends in between leaves rows with
two owners. Which rows these are follows from the retry alone: its row numbers, and the runs that lead from the one it
retries to it. So the hand-over can be repeated, and is: by every session of the retry before its first call, and by
every command that works on a related run before it looks at its rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import InputRefusedError, JournalUnreadableError
from bulkreact.runs import store
from bulkreact.runs.index import list_related_runs
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_trust import refuse_foreign
from bulkreact.wording import shell_quote


def hand_over(retry: JournalReader) -> None:
    """Hand the rows of a retry over to it, as far as it does not own them yet; do nothing for any other run.

    Raises InputRefusedError if a run that may own some of them is missing, unless the retry has begun: then it had them.
    """
    for owner_id, reason in _transfer_rows(retry).items():
        if retry.latest_session() is None:
            raise InputRefusedError(
                f"Rows of run {retry.metadata.id} belong to run {owner_id}, which cannot hand them over: {reason} "
                "Nothing was sent. Put the folder of that run next to the retry's. If it is gone for good: "
                f"bulkreact results {shell_quote(retry.folder)}, then run its failed.csv with --new."
            )


def complete_handovers(
    folder: Path, runs: Iterable[Run] | None = None, *, open_runs: Iterable[Run] | None = None
) -> None:
    """Let the run in a folder give up its rows to retries that ended before they began: it must not send these.

    ``runs`` are those next to it, ``open_runs`` the open ones, if the caller has listed them. A missing run does no
    harm: its rows cannot be sent here either.
    """
    if open_runs is not None and not any(run.retry_of and run.session is None for run in open_runs):
        return
    with JournalReader(folder) as journal:
        run_id = journal.metadata.id
        if not journal.has_finished():
            # It was never retried.
            return
    retries = [run for run in (list_related_runs(folder.parent).runs if runs is None else runs) if run.retry_of]
    parents = {run.metadata.id: run.retry_of for run in retries}
    for run in retries:
        if run.session is None and _first_run(parents, run.metadata.id) == _first_run(parents, run_id):
            refuse_foreign(run.folder)
            with JournalReader(run.folder) as journal:
                journal.check()
                _transfer_rows(journal)


def open_retries(runs: Iterable[Run]) -> dict[str, Run]:
    """Return the runs of which a retry, or a retry of a retry, can still be continued: that, by the id of the run."""
    retries = [run for run in runs if run.retry_of]
    parents = {run.metadata.id: run.retry_of for run in retries}
    found: dict[str, Run] = {}
    for run in retries:
        ancestor = run.retry_of if run.can_be_resumed else None
        while ancestor and ancestor not in found:
            found[ancestor] = run
            ancestor = parents.get(ancestor)
    return found


def _transfer_rows(retry: JournalReader) -> dict[str, str]:
    """Follow the rows of a retry to the runs that own them, and transfer them; return which runs are missing, and why."""
    metadata, missing = retry.metadata, dict[str, str]()
    waiting = [(metadata.retry_of, retry.row_numbers(), frozenset[str]())] if metadata.retry_of else []
    while waiting:
        owner_id, numbers, path = waiting.pop()
        if owner_id in path:
            missing[owner_id] = (
                "its journal is damaged, or another is: they name each other as the owner of these rows."
            )
            continue
        owner = store.locate(retry.folder.parent, owner_id)
        try:
            if owner is None:
                missing[owner_id] = f"there is no such run in {retry.folder.parent}."
                continue
            others = _transfer(owner, numbers, metadata.id)
        except JournalUnreadableError as error:
            missing[owner_id] = str(error)
        else:
            waiting.extend((*other, path | {owner_id}) for other in others.items())
    return missing


def _transfer(owner: Path, numbers: Sequence[int], run_id: str) -> dict[str, list[int]]:
    """Transfer those of the rows that a run owns; return those that other runs took over, by run."""
    with JournalReader(owner) as reader:
        owners = reader.find_owners(numbers)
    owners.pop(run_id, None)
    if own := owners.pop("", None):
        with Journal(owner, check=True) as journal:
            journal.transfer_rows(own, run_id)
    return owners


def _first_run(parents: Mapping[str, str | None], run_id: str) -> str:
    passed = {run_id}
    while (parent := parents.get(run_id)) and parent not in passed:
        passed.add(run_id := parent)
    return run_id
