"""Publishes a new run, unless another process has begun one of the same rows since this one looked for it."""

from pathlib import Path

from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.locks import reports_lock
from bulkreact.errors import AlreadyRunningError
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.index import folder_names, read_new_runs


def known_runs(reports: Path) -> frozenset[str]:
    """Return the folders of a reports folder, to be asked for before unfinished runs are looked for."""
    return frozenset(folder_names(reports))


def publish_alone(draft: Path, metadata: RunMetadata, access: AuthorizedAccess, *, known: frozenset[str]) -> Path:
    """Publish a draft; AlreadyRunningError if a folder that is not ``known`` has a run of the same rows.

    The look and the publishing are one step for all processes that use the reports folder, whatever their folders for
    locks are.
    """
    with reports_lock(draft.parent):
        for run in read_new_runs(draft.parent, known):
            is_same = (run.metadata.digest, run.metadata.target) == (metadata.digest, metadata.target)
            if is_same and access.matches_tenant(run.metadata.tenant_id):
                raise AlreadyRunningError(
                    f"Another process has begun run {run.metadata.id} of the same rows meanwhile. Nothing was sent. Look at "
                    f"it with: bulkreact status {store.cli_name(run.folder, draft.parent)}"
                )
        return store.publish(draft, metadata.id)
