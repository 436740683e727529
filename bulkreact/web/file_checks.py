"""Checks files by ``bulkreact plan`` in processes of their own, two at a time, under limits."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import DecodeError, json
from msgspec.structs import replace

from bulkreact.batch.journal.kept_rows import KeptRows
from bulkreact.batch.journal.row_pages import RowProblem
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, InputRefusedError, JournalUnreadableError
from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.output.xlsx_writer import writing
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web import processes
from bulkreact.web.background_tasks import BackgroundTasks
from bulkreact.web.downloads import PLAN_NAME, PROBLEMS
from bulkreact.web.file_wording import name_fields
from bulkreact.web.folders import INPUT_FOLDER, JobFolders
from bulkreact.web.jobs import Happening, JobEvent, JobState, WebJob
from bulkreact.web.plan_file import FileCheck, FileRefusal, PlanFile, drop_unfit, find_wrong_cells, reading_arguments
from bulkreact.web.records import Version
from bulkreact.web.refusals import RequestRefusedError, describe_problem
from bulkreact.web.serve_settings import ServeSettings
from bulkreact.web.store import RecordStore
from bulkreact.wording import plural

_AT_ONCE = 2
_MOST_WAITING = 20
_SECONDS = 600.0
_EXAMPLES = 5
CUSTOMERS = 50
_DIED = FileRefusal(
    "not-readable",
    "The file could not be read within 2 GB and 10 minutes. Is it the right file? Save it again as CSV UTF-8.",
)
_NOT_CHECKED = FileRefusal(
    "not-checked",
    "The server could not check the file. Its administrator finds the reason in check.log, beside the file; then send it "
    "again.",
)
_DROPPED = "Chosen for the file before, and not used for this one: "
_PROBLEMS_SHEET = "Problems"
_LIST_OF_PROBLEMS = (
    "This is problems.xlsx, the list of what is wrong. Correct the cells in your own file, and choose that."
)
_PROBLEMS_HEADER = ("row", "cell", "column", "value", "reason", "remedy")
_WIDTHS = (8, 8, 18, 40, 50, 60)
_encode = json.Encoder().encode


class FileChecks:
    """The checks of a server."""

    def __init__(
        self,
        settings: ServeSettings,
        store: RecordStore,
        folders: JobFolders,
        now: Callable[[], datetime],
        warn: Callable[[str], None],
    ) -> None:
        self._warn = warn
        self._settings = settings
        self._store = store
        self._folders = folders
        self._now = now
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks = BackgroundTasks()
        self._arriving = 0

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Keep a place for a file while it arrives; RequestRefusedError if too many wait for their check."""
        if len(self._tasks) + self._arriving >= _AT_ONCE + _MOST_WAITING:
            raise RequestRefusedError(
                "rate-limited", "Many files are being checked. Send this one again in a minute.", retry_after=60
            )
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def begin(self, job: WebJob) -> None:
        """Check the present version of a job as soon as it is its turn."""
        self._tasks.begin(job.number, self._try_to_check(job))

    async def begin_again(self) -> None:
        """Check again what was being checked when the server ended."""
        for job in await asyncio.to_thread(self._store.jobs_in, [JobState.CHECKING]):
            self.begin(job)

    async def close(self) -> None:
        """End the checks; the next server makes them again."""
        await self._tasks.close()

    async def _try_to_check(self, job: WebJob) -> None:
        try:
            await self._check(job)
        except (OSError, RequestRefusedError) as error:
            # It stays in the state of being checked; the next server checks it.
            self._warn(f"No. {job.number} could not be checked: {describe_problem(error)}")

    async def _check(self, job: WebJob) -> None:
        async with self._slots:
            versions = await asyncio.to_thread(self._store.versions, job.number)
            version, folder = versions[-1], self._folders.version(job.number, job.version)
            code = await self._run(version, folder)
            while (corrected := await asyncio.to_thread(_without_unfit_options, version, folder)) != version:
                version, code = corrected, await self._run(corrected, folder)
            await asyncio.to_thread(self._end, job, version, folder, code)

    async def _run(self, version: Version, folder: Path) -> int | None:
        """Return the exit code, None if it had to be killed."""
        options: dict[str, str] = json.decode(version.options)
        file = self._folders.input(version.job, version.version, version.file)
        arguments = ["plan", *self._settings.arguments["plan"], *reading_arguments(options), f"--keep={folder}"]
        # Not in a thread: a server that ends meanwhile would lose it.
        process = processes.start([*arguments, "--", str(file)], folder / "check.log")
        try:
            process.limit()
            async with asyncio.timeout(_SECONDS):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            process.kill()

    def _end(self, job: WebJob, version: Version, folder: Path, code: int | None) -> None:
        plan = _read_plan(folder) if code in {EXIT_SUCCESS, EXIT_SOME_FAILED, InputRefusedError.exit_code} else None
        if code == InputRefusedError.exit_code and not (plan and plan.refused):
            # It was not the file that was refused; the plan is one of an earlier attempt.
            plan = PlanFile(refused=_NOT_CHECKED)
        result = self._result(plan, folder) if plan and not plan.refused else None
        now = iso_milliseconds(self._now())
        if plan is None or result is None:
            refused = (plan and plan.refused) or _DIED
            stored = replace(version, refused=_encode(refused).decode())
            happening, detail = Happening(event=JobEvent.REFUSED, now=now), refused.code
        else:
            stored = replace(version, checked=_encode(result).decode(), digest=result.plan.digest)
            happening = Happening(event=JobEvent.CHECKED, now=now)
            detail = f"{plural(result.plan.valid, 'row')} to send, {result.plan.invalid:,} wrong"
        self._store.end_check(job.number, stored, happening, detail)

    def _result(self, plan: PlanFile, folder: Path) -> FileCheck | None:
        """Return what is shown of a plan, None if its rows cannot be read."""
        now = self._now()
        try:
            with KeptRows(folder) as rows:
                soonest, within = rows.deadlines(
                    now=iso_milliseconds(now), soon=iso_milliseconds(now + timedelta(days=URGENT_WITHIN.days))
                )
                if plan.invalid:
                    _write_problems(folder / PROBLEMS, rows.all_problems())
                groups = tuple(rows.problem_groups(examples=_EXAMPLES))
                customers = rows.customers(limit=CUSTOMERS)
                names = {id_: plan.customer_names[id_] for id_, _ in customers if id_ in plan.customer_names}
                first = rows.page("all", code="", customer="", text="", after=-1, limit=len(plan.sample))
                wrong = find_wrong_cells(plan, first)
                return FileCheck(replace(plan, customer_names=names), groups, customers, soonest, within, wrong)
        except (JournalUnreadableError, OSError):
            return None


def _write_problems(path: Path, problems: Iterable[RowProblem]) -> None:
    with writing(path, private=True) as book:
        sheet = book.add_sheet(_PROBLEMS_SHEET, header_rows=1)
        sheet.set_columns(_WIDTHS)
        sheet.add_header(_PROBLEMS_HEADER)
        for problem in problems:
            values = (problem.row, problem.cell, problem.column, problem.value, problem.reason, problem.remedy)
            sheet.add_row(values)
        sheet.add_filter(len(_PROBLEMS_HEADER))


def _read_plan(folder: Path) -> PlanFile | None:
    """Return the plan that a check has left, None if there is none."""
    try:
        plan = json.decode((folder / PLAN_NAME).read_bytes(), type=PlanFile)
    except (OSError, DecodeError):
        return None
    # Where the server keeps the file is nothing to its sender.
    kept_in = f"{folder / INPUT_FOLDER}{os.sep}"
    refused = plan.refused and replace(plan.refused, message=name_fields(plan.refused.message.replace(kept_in, "")))
    if refused and _PROBLEMS_SHEET in refused.sheets:
        refused = replace(refused, message=_LIST_OF_PROBLEMS)
    return replace(plan, remarks=[name_fields(remark.replace(kept_in, "")) for remark in plan.remarks], refused=refused)


def read_digest(folder: Path) -> str:
    """Return the digest of the plan in a folder, empty if there is none."""
    plan = _read_plan(folder)
    return plan.digest if plan else ""


def _without_unfit_options(version: Version, folder: Path) -> Version:
    """Return a version without what people chose for the file before and this one refuses."""
    plan = _read_plan(folder) if version.what == "replaced" else None
    if plan is None or plan.refused is None:
        return version
    options, gone = drop_unfit(options_of(version), plan.refused)
    if not gone:
        return version
    dropped = ", ".join([*filter(None, [version.remark.removeprefix(_DROPPED).rstrip(".")]), *gone])
    return replace(version, options=_encode(options).decode(), remark=f"{_DROPPED}{dropped}.")


def result_of(version: Version) -> FileCheck | None:
    """Return what the check of a version has found."""
    return json.decode(version.checked, type=FileCheck) if version.checked else None


def refusal_of(version: Version) -> FileRefusal | None:
    """Return why the file of a version cannot be used."""
    return json.decode(version.refused, type=FileRefusal) if version.refused else None


def options_of(version: Version) -> Mapping[str, str]:
    """Return the options of a version."""
    options: dict[str, str] = json.decode(version.options)
    return options
