"""Prepares a run of an input: a new one, or the unfinished one to be continued."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from msgspec import Struct, structs

from bulkreact import __version__
from bulkreact.batch.journal.journal import finalize, is_locked
from bulkreact.batch.journal.metadata import RunMetadata, RunSettings
from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.batch.journal.preview import planned_targets
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.beginning import InputSummary, describe_sending, summarize_input
from bulkreact.runs.handover import complete_handovers, open_retries
from bulkreact.runs.index import list_related_runs
from bulkreact.runs.input_reader import LoadedInput
from bulkreact.runs.partner_connection import PartnerConnection
from bulkreact.runs.publication import known_runs, publish_alone
from bulkreact.runs.reporter import Reporter
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_trust import refuse_foreign
from bulkreact.runs.saved_plan import SavedPlan
from bulkreact.runs.store import CONTINUED_WITHIN
from bulkreact.settings import Service
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import plural, printable, shell_quote

# Raises unless what is to be sent is confirmed; the text is what else to know of it, such as that it was sent before.
Confirm = Callable[[OpenCount, str], None]


class NewRunOptions(Struct, frozen=True):
    """How a run of an input is prepared; ``row_limit`` is None for all rows, ``new`` continues no unfinished run.

    ``run_id`` is the one that was chosen for it, if any.
    ``corrects`` is the id of the run whose result file the input is, empty for any other input.
    """

    reports: Path
    row_limit: int | None = None
    plan: SavedPlan | None = None
    new: bool = False
    corrects: str = ""
    run_id: str | None = None


class PreparedRun(Struct, frozen=True):
    """The folder of a run to work on; ``seen`` is the run as it was when it was chosen, None for one just made."""

    folder: Path
    seen: Run | None = None


def prepare_run(
    name: str,
    options: NewRunOptions,
    connection: PartnerConnection,
    load: Callable[[Path], LoadedInput],
    confirm: Confirm,
) -> PreparedRun:
    """Return the run to work on: a new one, or an unfinished one of the same input.

    ``load`` puts the rows of the input ``name`` into a draft, ``confirm`` raises unless the sending is confirmed.
    """
    reporter, access, reports = connection.reporter, connection.access, options.reports
    now = connection.now()
    run_id = options.run_id or store.new_id(name, now)
    with store.draft(reports, run_id) as draft:
        loaded = load(draft)
        input_file = loaded.input_file
        metadata = new_metadata(
            run_id, name, loaded, connection.service, access, command="run", row_limit=options.row_limit, now=now
        )
        settings = structs.replace(metadata.settings, corrects=options.corrects, page=connection.page)
        metadata = structs.replace(metadata, settings=settings, operator=connection.operator)
        finalize(draft, metadata, loaded.traits)
        if options.plan:
            options.plan.compare(loaded.digest, planned_targets(draft), name=input_file.name)
        reporter.info(input_file.remark)
        reporter.problems(input_file)
        known = known_runs(reports)
        run, remark = (None, "") if options.new else find_unfinished(reports, metadata, access, reporter)
        if run:
            return _continue(run, connection, confirm, sum_header=metadata.settings.sum_header)
        if options.corrects:
            reporter.info(f"{printable(name)} has rows of run {options.corrects}: the new run remembers that.")
        read = summarize_input(draft, metadata, rows=input_file.count, invalid=input_file.codes.total())
        count = store.open_count(draft)
        announce(connection, metadata, reports / run_id, count, confirm, read=read, remark=remark)
        if options.new:
            return PreparedRun(store.publish(draft, run_id))
        return PreparedRun(publish_alone(draft, metadata, access, known=known))


def _continue(run: Run, connection: PartnerConnection, confirm: Confirm, *, sum_header: str) -> PreparedRun:
    count = store.open_count(run.folder)
    connection.reporter.info(_describe_continuing(run, count))
    connection.reporter.info(_describe_other_sum(run.metadata.settings.sum_header, sum_header))
    announce(connection, run.metadata, run.folder, count, confirm)
    return PreparedRun(run.folder, run)


def announce(
    connection: PartnerConnection,
    metadata: RunMetadata,
    folder: Path,
    count: OpenCount,
    confirm: Confirm,
    *,
    read: InputSummary | None = None,
    remark: str = "",
) -> None:
    """Report what is about to be sent, and let it be confirmed; AlreadyRunningError if another process works on the run.

    ``read`` is the input if it was just read, ``remark`` what is known of earlier runs of its rows.
    """
    if folder.is_dir() and is_locked(folder):
        raise AlreadyRunningError(
            f"Another process is working on run {metadata.id}. Nothing was sent. Wait until it ends, then try again."
        )
    access, limits = connection.access, connection.limits
    connection.reporter.info(describe_sending(metadata, folder, count, access, limits, read))
    confirm(count, remark)


def new_metadata(
    run_id: str,
    name: str,
    loaded: LoadedInput,
    service: Service,
    access: AuthorizedAccess,
    *,
    command: str,
    row_limit: int | None,
    now: datetime,
) -> RunMetadata:
    """Return the metadata of a new run over a loaded input."""
    input_file = loaded.input_file
    return RunMetadata(
        id=run_id,
        uuid=str(uuid4()),
        version=__version__,
        command=command,
        operator=store.operator(),
        created_at=iso_milliseconds(now),
        input_name=name,
        input_sha256=input_file.sha256,
        header=input_file.header,
        digest=loaded.digest,
        row_limit=row_limit,
        cloud=service.cloud,
        base_url=service.base_url,
        api_version=service.api_version,
        tenant_id=access.tenant_id or None,
        simulated=service.simulated,
        from_spreadsheet=input_file.from_spreadsheet,
        settings=structs.replace(
            run_settings(service, access, loaded.arguments),
            name_header=input_file.name_header,
            sum_header=input_file.sum_header,
            column_widths=input_file.column_widths,
        ),
    )


def correcting(metadata: RunMetadata, run_id: str) -> RunMetadata:
    """Return the metadata of a run whose input has rows of another run; ``run_id`` is empty if it has none."""
    return structs.replace(metadata, settings=structs.replace(metadata.settings, corrects=run_id))


def run_settings(service: Service, access: AuthorizedAccess, arguments: tuple[str, ...]) -> RunSettings:
    """Return what a run remembers of how its calls are made."""
    return RunSettings(
        service.locale, access.client_id, access.authority, access.scope, access.options, arguments, certified_ids=True
    )


def find_unfinished(
    reports: Path, metadata: RunMetadata, access: AuthorizedAccess, reporter: Reporter
) -> tuple[Run | None, str]:
    """Return the newest unfinished run of the same input, limit and target, or None and what to know of earlier runs.

    InputRefusedError if it is too old.
    """
    listed = list_related_runs(reports, digest=metadata.digest, input_name=metadata.input_name)
    for folder, reason in listed.unreadable.items():
        if folder in listed.undecided:
            raise InputRefusedError(
                f"{folder.name} may be an unfinished run of this input. {reason} If it is not: move its folder elsewhere."
            )
        reporter.info(
            f"Not looked at: {folder.name} cannot be read: {reason} If it is unfinished, it is not continued."
        )
    run, remark = choose_unfinished(listed.runs, metadata, access)
    if run:
        # Not passed over: if it is ours after all, its rows must not be sent twice.
        refuse_foreign(run.folder)
    if run and run.age > CONTINUED_WITHIN:
        unfinished = open_retries(listed.runs).get(run.metadata.id, run)
        command = store.resume_command(unfinished.folder, reports, unfinished.metadata.settings.options)
        raise InputRefusedError(
            f"An unfinished run of this input is more than {CONTINUED_WITHIN.days} days old. Continue it with: "
            f"{command}, or begin anew with --new."
        )
    if run:
        complete_handovers(run.folder, listed.runs)
    else:
        _check_finished(listed.runs, metadata)
    reporter.info(remark)
    return run, remark


def _check_finished(runs: Iterable[Run], metadata: RunMetadata) -> None:
    """Raise JournalDamagedError if a recent run of the same rows only seems to have none left to be sent."""
    for run in runs:
        is_same = (run.metadata.digest, run.metadata.target) == (metadata.digest, metadata.target)
        if is_same and run.age < CONTINUED_WITHIN:
            with JournalReader(run.folder) as journal:
                journal.check()


def _describe_continuing(run: Run, count: OpenCount) -> str:
    if count.rows or not run.is_finished:
        return f"Continuing the unfinished run {run.metadata.id}; not settled yet: {plural(count.rows, 'row')}."
    return (
        f"Run {run.metadata.id} of the same rows has none left to send: a retry has taken over those that may still "
        "succeed. --new would send all rows anew."
    )


def _describe_other_sum(remembered: str, named: str) -> str:
    """Return what a continued run adds up, if the command names another column; it is what it was begun with."""
    if not named or named == remembered:
        return ""
    return f"The run was begun {f'with --sum {shell_quote(remembered)}' if remembered else 'without --sum'}: it keeps that."


def choose_unfinished(runs: Iterable[Run], metadata: RunMetadata, access: AuthorizedAccess) -> tuple[Run | None, str]:
    """Return the run that a new run of an input would repeat, or None and a remark about the newest related run.

    Of the runs for the same target, the newest first:

    | tenant | rows | limit | open | result                                               |
    | other  | same | any   | yes  | remark: it is for another tenant                     |
    | same   | same | same  | yes  | continue it                                          |
    | same   | same | other | yes  | remark: it had another limit                         |
    | same   | same | any   | no   | remark, if it is recent: these rows were run before  |
    | same   | other, from an input of the same name | yes | remark: the input has changed |
    """
    runs, remark = list(runs), ""
    retried = open_retries(runs)
    for run in runs:
        if run.metadata.target != metadata.target:
            continue
        same_rows = run.metadata.digest == metadata.digest
        if access.matches_tenant(run.metadata.tenant_id):
            # Rows that a retry took over are not sent by this run, but must not be repeated by a new one either.
            is_open = run.can_be_resumed or run.metadata.id in retried
            is_settled_elsewhere = run.record.has_transferred and run.age < CONTINUED_WITHIN
            if (is_open or is_settled_elsewhere) and same_rows and run.metadata.row_limit == metadata.row_limit:
                return run, ""
            remark = remark or _remark(run, metadata, same_rows=same_rows, recent=run.age < CONTINUED_WITHIN)
        elif same_rows and run.can_be_resumed:
            tenants = f"is for the tenant {run.metadata.tenant_id}: this is a new run, for {access.tenant_id}."
            remark = remark or f"The unfinished run {run.metadata.id} of the same rows {tenants}"
    return None, remark


def _remark(run: Run, metadata: RunMetadata, *, same_rows: bool, recent: bool) -> str:
    if same_rows and run.can_be_resumed:
        return f"The unfinished run {run.metadata.id} had another --limit: this is a new run of its rows."
    if same_rows and recent:
        return f"The same rows were run before and finished, as {run.metadata.id}: they are sent again."
    if run.can_be_resumed and run.metadata.input_name == metadata.input_name and not run.metadata.retry_of:
        return f"{printable(metadata.input_name)} has changed since the unfinished run {run.metadata.id}: this is a new run."
    return ""
