"""What holds secrets is for its owner alone: folders are made so, planted files are refused, exposed ones warned of."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkreact import file_access
from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST
from tests.support.signed_in import APP, USER, run, secret_app, sign_in
from tests.support.token_authority import SECRET, Authority

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such owners nor such modes")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let new files be everybody's unless they are made otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_files(folder: Path) -> list[str]:
    """Return what others can read or write in a folder."""
    paths = [folder, *folder.rglob("*")]
    return [f"{path} {oct(mode)}" for path in paths if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077]


@pytest.mark.usefixtures("open_umask")
def test_whatever_a_run_leaves_in_the_state_folder_is_private(program: Program, partner: Partner) -> None:
    program.environment["BULKREACT_STATE_DIR"] = str(program.folder / "a" / "state")
    write_csv(program.folder / "input.csv", [row(guid(1))])
    assert program("run", "input.csv", "--base-url", partner.base_url, *FAST).code == 0
    assert len(list((program.folder / "a" / "state" / "locks").iterdir())) == 2
    assert open_files(program.folder / "a") == []


@pytest.mark.usefixtures("open_umask")
def test_whatever_a_sign_in_leaves_is_private(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_STATE_DIR"] = str(program.folder / "a" / "state")
    assert sign_in(program, authority, "--store", "file").code == 0
    assert run(program, *USER).code == 0
    assert open_files(program.folder / "a") == []


def test_a_sign_in_that_others_may_have_written_is_not_used(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (record,) = (program.folder / "state" / "sign-ins").glob("*.json")
    record.chmod(0o666)
    authority.directory.requests.clear()
    process = run(program, *USER)
    assert process.code == 2
    assert "Nobody is signed in" in process.err
    assert authority.directory.requests == []


def test_tokens_that_others_may_have_written_are_not_used(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (tokens,) = (program.folder / "state" / "sign-ins").glob("*.cache")
    tokens.chmod(0o666)
    authority.directory.requests.clear()
    process = run(program, *USER)
    assert process.code != 0
    assert "everybody can write to it" in process.err
    assert authority.directory.requests == []


def test_a_sign_in_that_names_a_token_service_without_encryption_is_not_used(
    program: Program, authority: Authority
) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (record,) = (program.folder / "state" / "sign-ins").glob("*.json")
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "authority": "http://login.example/t"}))
    program.environment["BULKREACT_AUTHORITY"] = ""
    process = run(program, *USER)
    assert process.code == 2
    assert "Nobody is signed in" in process.err


@pytest.mark.usefixtures("authority")
def test_a_folder_of_sign_ins_of_another_user_is_refused(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    (program.folder / "state" / "sign-ins").mkdir(parents=True)
    write_csv(program.folder / "input.csv", [row(guid(1))])
    monkeypatch.setattr(file_access, "current_user", lambda: os.geteuid() + 4711)
    monkeypatch.setattr(file_access, "_ROOT", -1)
    process = program("run", "input.csv", *FAST, "--auth", "user")
    assert process.code == 2
    assert "The folder for sign-ins" in process.err
    assert "belongs to" in process.err


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False), (0o600, False)])
def test_a_secret_that_everybody_can_read_is_warned_of(
    program: Program, authority: Authority, mode: int, warned: bool
) -> None:
    authority.directory.register(secret_app())
    path = program.folder / "secret.txt"
    path.write_text(SECRET)
    path.chmod(mode)
    process = run(program, *APP, "--client-secret-file", "secret.txt")
    assert process.code == 0
    line = "Warning: secret.txt holds a secret, and everybody can read it. Correct it with: chmod go-rwx secret.txt"
    assert (line in process.err.splitlines()) is warned
    checks = json.loads(program("doctor", "--json", *APP, "--client-secret-file", "secret.txt").out)["checks"]
    assert [check["result"] for check in checks if check["name"] == "secret files"] == ["warning"] * warned


@pytest.mark.usefixtures("authority")
def test_the_file_of_a_password_is_one_too(program: Program) -> None:
    for name, mode in (("app.pfx", 0o600), ("password.txt", 0o644)):
        (program.folder / name).write_text("x")
        (program.folder / name).chmod(mode)
    process = run(program, *APP, "--certificate-file", "app.pfx", "--certificate-password-file", "password.txt")
    assert process.code == 2
    assert "Warning: password.txt holds a secret" in process.err
    assert "Warning: app.pfx" not in process.err


def test_doctor_warns_of_a_reports_folder_that_everybody_can_write(program: Program, partner: Partner) -> None:
    (program.folder / "reports").mkdir()
    (program.folder / "reports").chmod(0o777)
    process = program("doctor", "--json", "--base-url", partner.base_url)
    (check,) = (check for check in json.loads(process.out)["checks"] if check["name"] == "reports folder")
    assert check["result"] == "warning"
    assert check["advice"] == f"Correct it with: chmod go-w {program.folder / 'reports'}"
