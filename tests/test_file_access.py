"""Files and folders that nobody else can reach: every level that is made, and those that are there already."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bulkreact import file_access
from bulkreact.file_access import exposure, open_private, take_private_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such owners nor such modes")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Let new files have such modes."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state folder as an earlier version may have made it."""
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(0o777)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_level_that_is_made_is_private(tmp_path: Path, umask: int) -> None:
    above = mode(tmp_path)
    take_private_folder(tmp_path / "a" / "b" / "state" / "locks")
    levels = ["a", "a/b", "a/b/state", "a/b/state/locks"]
    assert [oct(mode(tmp_path / level)) for level in levels] == ["0o700"] * 4, umask
    assert mode(tmp_path) == above


def test_what_is_there_is_closed_to_others(state: Path) -> None:
    (state / "sign-ins").mkdir()
    (state / "sign-ins").chmod(0o777)
    take_private_folder(state / "sign-ins")
    assert [mode(state), mode(state / "sign-ins")] == [0o700, 0o700]


def test_a_folder_with_more_than_state_in_it_keeps_its_mode(state: Path) -> None:
    (state / "somebody's").touch()
    state.chmod(0o1777)
    take_private_folder(state / "locks")
    assert [mode(state), mode(state / "locks")] == [0o1777, 0o700]


def test_one_whose_content_others_can_exchange_is_refused(state: Path) -> None:
    (state / "somebody's").touch()
    with pytest.raises(PermissionError, match="everybody can write"):
        take_private_folder(state / "locks")


@pytest.mark.parametrize("name", ["file", "link", "dangling"])
def test_a_link_or_a_file_in_its_place_is_refused(state: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    (state / "file").touch()
    (state / "link").symlink_to(elsewhere)
    (state / "dangling").symlink_to(tmp_path / "nowhere")
    state.chmod(0o755)
    with pytest.raises(OSError, match="link, or no folder"):
        take_private_folder(state / name)
    assert mode(elsewhere) == 0o755
    assert not (tmp_path / "nowhere").exists()


def test_a_state_folder_of_ones_own_may_be_a_link(state: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(state)
    take_private_folder(tmp_path / "link" / "locks")
    assert [mode(state), mode(state / "locks")] == [0o700, 0o700]


@pytest.mark.parametrize(
    ("root", "path", "refused"),
    [("nobody", "state", "state"), ("nobody", "link", "link"), ("owner", "state", "state/locks")],
)
def test_another_users_is_refused(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str, path: str, refused: str
) -> None:
    (state / "locks").mkdir()
    (state / "somebody's").touch()
    state.chmod(0o755)
    (tmp_path / "link").symlink_to(state)
    # What root owns may lead to a folder of ours, but holds no secrets of ours.
    monkeypatch.setattr(file_access, "_ROOT", {"nobody": -1, "owner": os.geteuid()}[root])
    monkeypatch.setattr(file_access, "current_user", lambda: os.geteuid() + 4711)
    with pytest.raises(PermissionError) as raised:
        take_private_folder(tmp_path / path / "locks")
    assert raised.value.filename == str(tmp_path / refused)
    assert ("link of another" in str(raised.value)) is (path == "link")


def test_without_owners_nothing_is_checked(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "somebody's").touch()
    monkeypatch.setattr(file_access, "current_user", lambda: None)
    take_private_folder(state / "locks")
    assert (state / "locks").is_dir()
    assert exposure(state) == ""


def test_a_private_file_is_private_whatever_was_there(tmp_path: Path, umask: int) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o666)
    for name in ("old", "new"):
        with open(tmp_path / name, "w", encoding="utf-8", opener=open_private) as file:
            file.write("x")
        assert mode(tmp_path / name) == 0o600, umask


def test_a_private_file_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="link"), open(tmp_path / "link", "w", encoding="utf-8", opener=open_private):
        pytest.fail("it was followed")
    assert (tmp_path / "target").read_text() == "precious"


@pytest.mark.parametrize(
    ("bits", "reason"),
    [
        (0o600, ""),
        (0o640, ""),
        (0o400, ""),
        (0o644, "everybody can read it"),
        (0o606, "everybody can read it"),
        (0o602, "everybody can write to it"),
        (0o620, "its group can write to it"),
    ],
)
def test_a_secret_that_others_can_read_or_replace_is_exposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int, reason: str
) -> None:
    monkeypatch.setattr(file_access, "_is_private_group", lambda _status: False)
    path = tmp_path / "secret"
    path.touch()
    path.chmod(bits)
    assert exposure(path) == reason


class Account(NamedTuple):
    """A user, or a group, as the system lists them."""

    pw_name: str = "ann"
    pw_uid: int = 1001
    pw_gid: int = 1001
    gr_name: str = "ann"
    gr_gid: int = 1001
    gr_mem: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("owner", "group", "other", "private"),
    [
        (Account(), Account(), Account("bob", 1002, 1002), True),
        (Account(), Account(gr_mem=("ann",)), Account("bob", 1002, 1002), True),
        (Account(), Account(gr_mem=("bob",)), Account("bob", 1002, 1002), False),
        (Account(), Account(), Account("bob", 1002, 1001), False),
        (Account(), Account(gr_name="staff"), Account("bob", 1002, 1002), False),
        (Account(pw_gid=100), Account(), Account("bob", 1002, 1002), False),
        (Account("root", 0, 0, "root", 0), Account(gr_name="root", gr_gid=0), Account(), False),
    ],
)
def test_a_private_group_has_its_owner_as_the_only_member(
    monkeypatch: pytest.MonkeyPatch, owner: Account, group: Account, other: Account, private: bool
) -> None:
    monkeypatch.setattr("pwd.getpwuid", lambda _user: owner)
    monkeypatch.setattr("pwd.getpwall", lambda: [owner, other])
    monkeypatch.setattr("grp.getgrgid", lambda _group: group)
    status = os.stat_result((0o100664, 1, 1, 1, owner.pw_uid, group.gr_gid, 0, 0, 0, 0))
    assert file_access._is_private_group(status) is private
