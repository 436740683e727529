"""A configuration file that was found by chance counts only if nobody else can have written it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkreact import file_access
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, row, write_csv
from tests.support.program import CANARY, Partner, Program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such owners nor such modes")
NAME = "bulkreact.toml"


@pytest.fixture
def found(program: Program, partner: Partner) -> Path:
    """Let the working directory have a file that sends tokens somewhere."""
    write_csv(program.folder / "input.csv", [row(guid(1))])
    path = program.folder / NAME
    path.write_text(f'base_url = "{partner.base_url}"\n[run]\nyes = true\nrate = "off"\n')
    path.chmod(0o644)
    return path


def let_files_be_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act for another user than the one who owns what tests write."""
    monkeypatch.setattr(file_access, "current_user", lambda: os.geteuid() + 4711)
    monkeypatch.setattr(file_access, "_ROOT", -1)


def let_the_file_be_writable(path: Path) -> None:
    path.chmod(0o666)


def let_its_group_write(path: Path) -> None:
    path.chmod(0o664)


def let_the_folder_be_writable(path: Path) -> None:
    path.parent.chmod(0o777)


def let_it_be_a_link_to_what_others_write(path: Path) -> None:
    target = path.rename(path.with_name("elsewhere.toml"))
    path.symlink_to(target)
    target.chmod(0o666)


def let_it_be_a_pipe_in_a_shared_folder(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    path.parent.chmod(0o1777)


@pytest.mark.parametrize(
    "spoil",
    [
        let_the_file_be_writable,
        let_its_group_write,
        let_the_folder_be_writable,
        let_it_be_a_link_to_what_others_write,
        let_it_be_a_pipe_in_a_shared_folder,
    ],
)
def test_one_that_others_can_write_is_not_used(
    program: Program, partner: Partner, found: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(file_access, "_is_private_group", lambda _status: False)
    spoil(found)
    process = program("run", "input.csv")
    assert process.code == 2
    assert f"--config {NAME}" in process.err
    assert partner.service.call_log.calls == []


def test_one_of_another_user_is_not_used(
    program: Program, partner: Partner, found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_files_be_anothers(monkeypatch)
    process = program("run", found.with_name("input.csv"))
    assert process.code == 2
    assert "belongs to" in process.err
    assert partner.service.call_log.calls == []


@pytest.mark.usefixtures("found")
def test_commands_that_read_no_file_do_not_mind_it(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    let_files_be_anothers(monkeypatch)
    assert program("explain", "900337").code == 0
    assert program("run", "--help").code == 0


def test_one_that_was_named_is_used_and_warned_of(program: Program, partner: Partner, found: Path) -> None:
    found.chmod(0o666)
    process = program("run", "input.csv", "--config", NAME, "-q")
    assert process.code == 0, process.err
    assert process.err == (
        f"Warning: {NAME}: everybody can write to it, and it says where tokens and secrets go. "
        f"Correct it with: chmod go-w {NAME}\n"
    )
    assert len(partner.requests()) == 1


def test_a_private_group_is_nobody_else(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found.chmod(0o664)
    monkeypatch.setattr(file_access, "_is_private_group", lambda _status: True)
    assert file_access.foreign_access(found) == ""
    monkeypatch.setattr(file_access, "_has_access_list", lambda _file: True)
    assert file_access.foreign_access(found) == "its group can write to it"


def sets(program: Program, partner: Partner) -> str:
    """Return the line that names the file and its address."""
    return f"{program.folder / NAME} sets addresses: base_url = {partner.base_url}."


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(("options", "form"), [((), "{}"), (("--log-format", "json"), '"message": "{}"')])
def test_the_file_that_sets_an_address_is_named_in_one_line(
    program: Program, partner: Partner, options: tuple[str, ...], form: str
) -> None:
    assert form.format(sets(program, partner)) in program("run", "input.csv", *options).err


@pytest.mark.usefixtures("found")
def test_it_is_not_named_when_quiet_or_when_the_command_line_sets_another(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    assert program("run", "input.csv", "-q").err == ""
    other = start_partner(Behaviour())
    process = program("run", "input.csv", "--new", "--base-url", other.base_url)
    assert process.code == 0
    assert "sets addresses" not in process.err


def test_a_webhook_is_named_without_its_secret(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    (program.folder / NAME).write_text(f'ping = "{partner.base_url}/{CANARY}"\n')
    process = program("run", "input.csv", "--simulate")
    assert "sets addresses: ping." in process.err
    assert CANARY not in process.err
