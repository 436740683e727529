"""Lets LibreOffice work on files; tests that use it have the marker ``office``."""

import shutil
import subprocess
from pathlib import Path

import pytest


def convert(path: Path, suffix: str) -> Path:
    """Let LibreOffice open a file and save it again."""
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    home, out = path.parent / "office", path.parent / "saved"
    subprocess.run(
        [office, f"-env:UserInstallation={home.as_uri()}", "--headless", "--convert-to", suffix, "--outdir", out, path],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return out / f"{path.stem}.{suffix}"
