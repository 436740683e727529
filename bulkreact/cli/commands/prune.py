"""``bulkreact prune``: removes the folders of old finished runs, after it has shown them; it touches nothing else."""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from bulkreact.atomic_write import sync_folder
from bulkreact.batch.journal.journal import LOCK_NAME, is_locked
from bulkreact.batch.journal.reading import JOURNAL_NAME
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.confirm import ask
from bulkreact.cli.options import shared
from bulkreact.cli.options.param_types import DURATION
from bulkreact.errors import ResultsNotWrittenError
from bulkreact.inbox.ledger import unfiled_run_ids
from bulkreact.runs.history import RunSummary, summarize
from bulkreact.runs.index import Run, list_runs
from bulkreact.sheets.output.report_html import REPORT
from bulkreact.sheets.output.results_csv import FAILED, RESULTS, SUMMARY
from bulkreact.sheets.output.results_xlsx import WORKBOOK
from bulkreact.wording import plural

_OURS = frozenset({RESULTS, FAILED, SUMMARY, REPORT, WORKBOOK, JOURNAL_NAME, LOCK_NAME})
_OURS_TOO = re.compile(rf"{re.escape(JOURNAL_NAME)}-(wal|shm)|\..*\.partial")
# What is on its way out has such a name, so that a kill leaves no half of a run behind.
_LEAVING = ".{}.pruned"
_HALF_GONE = ".[0-9]*T[0-9]*Z-*.pruned"


@click.command("prune", cls=ConfiguredCommand)
@click.option("--older-than", type=DURATION, required=True, help="How long ago a run must have ended, like 90d.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@shared.reports_option
def command(*, older_than: float, yes: bool, reports: Path) -> None:
    """Remove the folders of runs that finished long ago, after showing them.

    Runs that can still be continued or are at work, and folders with files that are not ours, are never touched.
    """
    for left in reports.glob(_HALF_GONE):
        shutil.rmtree(left, ignore_errors=True)
    plan = plan_removal(
        list_runs(reports, counting=True).runs,
        unfiled_run_ids(reports),
        before=datetime.now(UTC) - timedelta(seconds=older_than),
    )
    for words in plan.kept:
        click.echo(f"Kept:  {words}")
    if not plan.going:
        click.echo("There is nothing to remove.")
        return
    for line in plan.going:
        click.echo(f"To go: {line.one_line()}")
    if not yes:
        ask(f"Remove {plural(len(plan.going), 'run')} from {reports}?", "Nothing was removed.")
    removed = sum(_remove(line.run.folder) for line in plan.going)
    click.echo(f"Removed {plural(removed, 'run')}.")


@dataclass(slots=True)
class PrunePlan:
    """Which runs go, the oldest first, and which old ones are kept, and why."""

    going: list[RunSummary] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def plan_removal(found: Iterable[Run], awaited: frozenset[str], *, before: datetime) -> PrunePlan:
    """Return what becomes of runs that ended before a moment; those that have to do with each other go together.

    ``awaited`` are those whose input files a sweep has still to put aside.
    """
    families: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(found, key=lambda one: one.metadata.created_at):
        # A retry is younger than the run that it took rows from.
        family = next((key for key, runs in families.items() if _related(run, runs)), run.metadata.id)
        families[family].append(run)
    plan = PrunePlan()
    for members in families.values():
        if any(_last_seen(run) >= before for run in members):
            continue
        reasons = {run.metadata.id: why for run in members if (why := _why_kept(run, awaited))}
        if reasons:
            plan.kept.extend(f"{name}: {why}" for name, why in reasons.items())
        else:
            plan.going.extend(summarize(run) for run in members)
    return plan


def _related(run: Run, family: Iterable[Run]) -> bool:
    return any(one.metadata.id == run.metadata.retry_of for one in family)


def _last_seen(run: Run) -> datetime:
    """Return when a run ended, else when it was begun."""
    return datetime.fromisoformat((run.session and run.session.ended_at) or run.metadata.created_at)


def _why_kept(run: Run, awaited: frozenset[str]) -> str:
    folder = run.folder
    if folder.is_symlink() or folder.name != run.metadata.id:
        return f"its folder {folder.name} is not one that bulkreact has made"
    if run.unfinished:
        return "it is unfinished, or an answer is still lost"
    foreign = [
        one.name for one in sorted(folder.iterdir()) if one.name not in _OURS and not _OURS_TOO.fullmatch(one.name)
    ]
    if foreign:
        return f"there are files in it that are not bulkreact's: {', '.join(foreign[:3])}"
    if run.metadata.id in awaited:
        return "a sweep has still to put its input file aside"
    if is_locked(folder):
        return "a process is working on it"
    return ""


def _remove(folder: Path) -> bool:
    """Remove a run's folder, at once for whoever looks; return false for one that has been taken up meanwhile."""
    if is_locked(folder):
        click.echo(f"Kept:  {folder.name}: a process is working on it", err=True)
        return False
    try:
        leaving = folder.rename(folder.with_name(_LEAVING.format(folder.name)))
        sync_folder(folder.parent)
        shutil.rmtree(leaving)
    except OSError as error:
        raise ResultsNotWrittenError(
            f"{folder} could not be removed: {error.strerror}. Fix the cause, then try again."
        ) from None
    return True
