"""``bulkreact prune``: removes the folders of old finished runs after showing them."""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path

import click
from msgspec import Struct, field

from bulkreact.atomic_write import sync_folder
from bulkreact.batch.journal.fingerprint import FINGERPRINT_NAME
from bulkreact.batch.journal.journal import LOCK_NAME, is_locked
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.confirm import ask
from bulkreact.cli.options import shared
from bulkreact.cli.options.param_types import AGE
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import ResultsNotWrittenError
from bulkreact.file_access import foreign_owner
from bulkreact.inbox.ledger import unfiled_run_ids
from bulkreact.runs.history import RunSummary, summarize
from bulkreact.runs.index import list_old_runs
from bulkreact.runs.run_record import Run
from bulkreact.sheets.output.edited_files import WRITTEN
from bulkreact.sheets.output.report_html import REPORT
from bulkreact.sheets.output.results_csv import FAILED, RESULTS, SUMMARY
from bulkreact.sheets.output.results_xlsx import FAILED_WORKBOOK, WORKBOOK
from bulkreact.timestamps import utc_now
from bulkreact.wording import plural

# The web page keeps the original beside the job.
_APPROVAL_COPY = "approval.json"
_OURS = frozenset(
    {RESULTS, FAILED, SUMMARY, REPORT, WORKBOOK, FAILED_WORKBOOK, JOURNAL_NAME, LOCK_NAME, FINGERPRINT_NAME, WRITTEN}
    | {_APPROVAL_COPY}
)
_OUR_PATTERN = re.compile(rf"{re.escape(JOURNAL_NAME)}-(wal|shm)|\..*\.partial")
# A run is renamed before it is removed, so that a kill leaves no partial run.
_REMOVING = ".{}.pruned"
_HALF_REMOVED = ".[0-9]*T[0-9]*Z-*.pruned"


@click.command("prune", cls=ConfiguredCommand)
@click.option(
    "--older-than", type=AGE, required=True, help="How long ago a run must have ended, with its unit: 90d or 12h."
)
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@shared.reports_option
def command(*, older_than: float, yes: bool, reports: Path) -> None:
    """Remove the folders of runs that finished long ago, after showing them.

    Runs that can still be continued or are at work, and folders with files that are not ours, are never touched.
    """
    for folder in filter(_is_ours, reports.glob(_HALF_REMOVED)):
        shutil.rmtree(folder, ignore_errors=True)
    before = utc_now() - timedelta(seconds=older_than)
    plan = plan_removal(list_old_runs(reports, before=before).runs, unfiled_run_ids(reports), before=before)
    for reason in plan.skipped:
        echo(f"Kept:  {reason}")
    if not plan.removed:
        echo("There is nothing to remove.")
        return
    for summary in plan.removed:
        echo(f"Will be removed: {summary.one_line()}")
    if not yes:
        ask(f"Remove {plural(len(plan.removed), 'run')} from {reports}?", "Nothing was removed.")
    count = sum(_remove(summary.run.folder) for summary in plan.removed)
    echo(f"Removed {plural(count, 'run')}.")


class PrunePlan(Struct):
    """The runs to remove, oldest first, and the old ones to keep, with the reasons."""

    removed: list[RunSummary] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def plan_removal(runs: Iterable[Run], unfiled: frozenset[str], *, before: datetime) -> PrunePlan:
    """Plan the removal of runs that ended before a time; a run and its retries are removed together or not at all.

    ``unfiled`` are the runs whose input files a sweep has not moved yet.
    """
    lineages: dict[str, list[Run]] = defaultdict(list)
    first_runs: dict[str | None, str] = {}
    # A retry is younger than the run whose rows it took.
    for run in sorted(runs, key=attrgetter("created_at")):
        first = first_runs.get(run.metadata.retry_of, run.metadata.id)
        first_runs[run.metadata.id] = first
        lineages[first].append(run)
    plan = PrunePlan()
    for members in lineages.values():
        if any(_last_seen(run) >= before for run in members):
            continue
        reasons = {run.metadata.id: reason for run in members if (reason := _reason_to_keep(run, unfiled))}
        if reasons:
            plan.skipped.extend(f"{name}: {reason}" for name, reason in reasons.items())
        else:
            plan.removed.extend(summarize(run) for run in members)
    return plan


def _last_seen(run: Run) -> datetime:
    """Return when a run ended, or else started."""
    return datetime.fromisoformat((run.session and run.session.ended_at) or run.metadata.created_at)


def _reason_to_keep(run: Run, unfiled: frozenset[str]) -> str:
    folder = run.folder
    if folder.is_symlink() or folder.name != run.metadata.id:
        return f"its folder {folder.name} is not one that bulkreact has made"
    if owner := foreign_owner(folder):
        # Root could remove it all the same.
        return owner
    if run.can_be_resumed:
        return "it is unfinished, or an answer is still lost"
    foreign = [
        file.name
        for file in sorted(folder.iterdir())
        if file.name not in _OURS and not _OUR_PATTERN.fullmatch(file.name)
    ]
    if foreign:
        return f"there are files in it that are not bulkreact's: {', '.join(foreign[:3])}"
    if run.metadata.id in unfiled:
        return "a sweep has not moved its input file yet"
    if is_locked(folder):
        return "a process is working on it"
    return ""


def _is_ours(folder: Path) -> bool:
    return not folder.is_symlink() and not foreign_owner(folder)


def _remove(folder: Path) -> bool:
    """Remove a run's folder, atomically for other processes; return false if a process works on it."""
    if is_locked(folder):
        echo(f"Kept:  {folder.name}: a process is working on it", err=True)
        return False
    try:
        removing = folder.rename(folder.with_name(_REMOVING.format(folder.name)))
        sync_folder(folder.parent)
        shutil.rmtree(removing)
    except OSError as error:
        raise ResultsNotWrittenError(
            f"{folder} could not be removed: {error.strerror}. Fix the cause, then try again."
        ) from None
    return True
