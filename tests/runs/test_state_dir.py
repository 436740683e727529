"""The folder of locks and sign-ins: named, the platform's, a service's, or asked for."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bulkreact.runs.state_dir import state_folder
from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST

posix = pytest.mark.skipif(os.name == "nt", reason="Windows always knows the folder of a user")
SENTENCE = (
    "Error: The folder for locks, {}/locks, cannot be used: this user has no home folder, and HOME names none. Nothing was "
    "sent. Name another in BULKREACT_STATE_DIR."
)
DEFAULT = "~/.local/state/bulkreact"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user of a container who is in no list of users."""
    for name in ("HOME", "XDG_STATE_HOME", "BULKREACT_STATE_DIR", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", os.fspath)


def test_the_folder_that_is_named_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    monkeypatch.setenv("BULKREACT_STATE_DIR", str(tmp_path / "named"))
    assert state_folder() == tmp_path / "named"


@posix
def test_a_home_folder_comes_before_that_of_a_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BULKREACT_STATE_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder().is_relative_to(tmp_path)
    assert state_folder() != tmp_path / "service"


@posix
@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_it_is_that_of_the_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/service:{tmp_path}/other")
    assert state_folder() == tmp_path / "service"


@posix
@pytest.mark.usefixtures("homeless")
def test_a_read_only_home_folder_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    access = os.access
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    assert state_folder() == tmp_path / "home" / "bulkreact"
    monkeypatch.setattr(os, "access", lambda path, mode: access(path, mode) and not mode & os.W_OK)
    assert state_folder() == tmp_path / "service"


@posix
@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("named", ["", "~/state"])
def test_without_any_folder_a_run_asks_for_one(program: Program, partner: Partner, named: str) -> None:
    program.environment["BULKREACT_STATE_DIR"] = named
    write_csv(program.folder / "input.csv", [row(guid(1))])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 2
    assert SENTENCE.format(named or DEFAULT) in process.err
    assert partner.requests() == []
    assert sorted(path.name for path in program.folder.iterdir()) == ["input.csv"]


@posix
@pytest.mark.usefixtures("homeless")
def test_what_needs_no_folder_works_without_one(program: Program) -> None:
    program.environment["BULKREACT_STATE_DIR"] = ""
    write_csv(program.folder / "input.csv", [row(guid(1))])
    assert program("run", "input.csv", "--simulate", "--rate", "off").code == 0
    assert program("status").code == 0
    assert program("logout").code == 0


@posix
@pytest.mark.usefixtures("homeless")
def test_doctor_says_that_there_is_no_folder(program: Program, partner: Partner) -> None:
    program.environment["BULKREACT_STATE_DIR"] = ""
    process = program("doctor", "--json", "--base-url", partner.base_url)
    (check,) = (check for check in json.loads(process.out)["checks"] if check["name"] == "state folder")
    assert check["result"] == "failed"
    assert "cannot be used: this user has no home folder" in str(check)


@pytest.mark.skipif(not shutil.which("unshare"), reason="only Linux makes users of its own for a process")
def test_a_real_user_without_entry_and_home_is_asked(program: Program) -> None:
    user = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    if subprocess.run([*user, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody make users of their own")
    write_csv(program.folder / "input.csv", [row(guid(1))])
    command = [sys.executable, "-m", "bulkreact", "run", "input.csv", "--yes", "--base-url", "http://127.0.0.1:9"]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "BULKREACT_ACCESS_TOKEN": "x"}
    ended = subprocess.run(
        [*user, *command], cwd=program.folder, env=variables, check=False, capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (2, SENTENCE.format(DEFAULT))
