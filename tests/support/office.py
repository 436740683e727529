"""Lets spreadsheet programs work on files; tests that use it have the marker ``office``."""

import os
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


def convert_with_gnumeric(path: Path, suffix: str) -> Path:
    """Let Gnumeric open a file and save it again."""
    program = shutil.which("ssconvert")
    if program is None:
        pytest.skip("Gnumeric is not installed")
    out = path.with_name(f"{path.stem}-gnumeric.{suffix}")
    environment = {"PATH": os.defpath, "HOME": str(path.parent), "LC_ALL": "C.UTF-8"}
    subprocess.run([program, path, out], check=True, capture_output=True, timeout=120, env=environment)
    return out
