"""Decides whether a run that is read back from disk may be worked on: who can have written it, and where its calls go."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.errors import InputRefusedError
from bulkreact.file_access import foreign_access
from bulkreact.settings import AUTHORITIES, BASE_URLS, Cloud
from bulkreact.urls import is_loopback
from bulkreact.wording import shell_quote

TRUST_OPTION = "--trust-folder"


def foreign_run(folder: Path) -> str:
    """Return why others may have written a run, empty if only we and root can have."""
    for path in (folder, *sorted(folder.glob(f"{JOURNAL_NAME}*"))):
        # A log goes when its last reader leaves.
        with suppress(FileNotFoundError):
            if reason := foreign_access(path):
                return f"of {path.name}, {reason}"
    return ""


def refuse_foreign(folder: Path, *, agreed: bool = False) -> None:
    """Raise InputRefusedError if others may have written a run: its journal says where tokens go and what was sent."""
    if not agreed and (reason := foreign_run(folder)):
        raise InputRefusedError(
            f"Others may have written run {folder.name}: {reason}. Nothing was sent. If you trust it, say so: bulkreact "
            f"resume {shell_quote(folder)} {TRUST_OPTION}; verify, retry and results take it too. Otherwise correct owner "
            "and mode, or put the folder elsewhere."
        )


def refuse_unknown_addresses(
    metadata: RunMetadata, *, base_urls: Collection[str], authorities: Collection[str]
) -> None:
    """Raise InputRefusedError if a run's calls or secrets would go where only its journal says.

    ``base_urls`` and ``authorities`` are those of the present settings. The cloud's own are good, and so are addresses on
    this machine: whose run it is has been checked.
    """
    cloud = Cloud(metadata.cloud)
    addresses = (
        ("--base-url", metadata.base_url, {*base_urls, BASE_URLS[cloud]}),
        ("--authority", metadata.settings.authority, {*authorities, AUTHORITIES[cloud]}),
    )
    unknown = [
        f"{option} {shell_quote(url)}"
        for option, url, known in addresses
        if url and not is_local(url) and _origin(url) not in map(_origin, known)
    ]
    if unknown and not metadata.simulated:
        raise InputRefusedError(
            f"Run {metadata.id} goes to an address that is neither its cloud's nor one of your settings. Nothing was sent. "
            f"If it is right, say so: {' '.join(unknown)}"
        )


def is_local(url: str) -> bool:
    """Return whether an address can only be on this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower().removesuffix(":443")
