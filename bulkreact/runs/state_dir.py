"""The folder for state outside any reports folder: locks and sign-ins."""

import os
from pathlib import Path

from platformdirs import user_state_path

from bulkreact.file_access import can_create


def state_folder() -> Path:
    """Return the folder of BULKREACT_STATE_DIR, else the platform's default, else the first of systemd's STATE_DIRECTORY.

    The last counts only where the default cannot be made: its user has no home folder, or a read-only one. A path that
    still begins with ``~`` is for a user without a home folder, and cannot be used.
    """
    if folder := os.environ.get("BULKREACT_STATE_DIR"):
        return Path(os.path.expanduser(folder))  # noqa: PTH111 - the other way raises where there is no home folder
    default = _default_folder()
    service = os.environ.get("STATE_DIRECTORY", "").split(os.pathsep)[0]
    return Path(service) if service and not can_create(default) else default


def _default_folder() -> Path:
    try:
        return user_state_path("bulkreact", appauthor=False)
    except RuntimeError:
        # Some versions say so if there is no home folder, others leave the sign for it.
        return Path("~", ".local", "state", "bulkreact")
