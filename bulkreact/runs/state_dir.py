"""The folder for state outside any reports folder: locks and sign-ins."""

import os
from pathlib import Path

from platformdirs import user_state_path


def state_folder() -> Path:
    """Return the folder that the environment names, else the platform's default."""
    folder = os.environ.get("BULKREACT_STATE_DIR")
    return Path(folder).expanduser() if folder else user_state_path("bulkreact", appauthor=False)
