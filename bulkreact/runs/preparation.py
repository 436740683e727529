"""Describe a new run, or find the unfinished one that it continues."""

from datetime import datetime
from pathlib import Path
from uuid import uuid4

from bulkreact import __version__
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.index import Run, list_runs
from bulkreact.runs.input_reader import LoadedInput
from bulkreact.runs.reporter import Reporter
from bulkreact.runs.store import CONTINUED_WITHIN
from bulkreact.settings import Service
from bulkreact.timestamps import iso


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
    """Describe a new run over an input that has been read."""
    intake = loaded.input_file
    return RunMetadata(
        id=run_id,
        uuid=str(uuid4()),
        version=__version__,
        command=command,
        operator=store.operator(),
        created_at=iso(now),
        input_name=name,
        input_sha256=intake.sha256,
        header=intake.header,
        digest=loaded.digest,
        row_limit=row_limit,
        cloud=service.cloud,
        base_url=service.base_url,
        api_version=service.api_version,
        tenant_id=access.tenant_id or None,
        simulated=service.simulated,
        from_spreadsheet=intake.from_spreadsheet,
    )


def find_unfinished(reports: Path, facts: RunMetadata, access: AuthorizedAccess, reporter: Reporter) -> Run | None:
    """Return the newest unfinished run of the same input, limit and target; one that is too old is refused."""
    listed = list_runs(reports)
    for folder, why in listed.unreadable.items():
        reporter.info(f"Not looked at: {folder.name} cannot be read: {why} If it is unfinished, it is not continued.")
    remark = ""
    for run in listed.runs:
        if run.metadata.target != facts.target:
            continue
        same = run.metadata.digest == facts.digest
        if not access.matches_tenant(run.metadata.tenant_id):
            if same and run.unfinished:
                words = (
                    f"The unfinished run {run.metadata.id} of the same rows is for the tenant {run.metadata.tenant_id}"
                )
                remark = remark or f"{words}: this is a new run, for {access.tenant_id}."
            continue
        # Rows that a retry has taken over keep their run from being begun anew, although it sends them no more.
        open_ended = run.unfinished or run.has_transferred
        if open_ended and same and run.metadata.row_limit == facts.row_limit:
            if run.age > CONTINUED_WITHIN:
                raise InputRefusedError(
                    f"An unfinished run of this input is more than {CONTINUED_WITHIN.days} days old. Continue it with: "
                    f"bulkreact resume {store.cli_name(run.folder, reports)}, or begin anew with --new."
                )
            return run
        # The newest run that has to do with this input is worth a remark, if none is continued.
        remark = remark or _remark(run, facts, same=same)
    if remark:
        reporter.info(remark)
    return None


def _remark(run: Run, facts: RunMetadata, *, same: bool) -> str:
    """Say what an earlier run that is not continued has to do with this input; empty when nothing."""
    if same and run.unfinished:
        return f"The unfinished run {run.metadata.id} had another --limit: this is a new run of its rows."
    if same and run.age < CONTINUED_WITHIN:
        return f"The same rows were run before and finished, as {run.metadata.id}: they are sent again."
    if run.unfinished and run.metadata.input_name == facts.input_name and not run.metadata.retry_of:
        return f"{facts.input_name} has changed since the unfinished run {run.metadata.id}: this is a new run."
    return ""
