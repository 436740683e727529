"""Where refresh tokens are kept: whole files, their owner's alone, and a keyring whose trouble is told."""

import sys
from pathlib import Path

import pytest
from msal_extensions import FilePersistence
from msal_extensions.persistence import PersistenceNotFound

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter import persistence as module
from bulkreact.partnercenter import sign_ins
from bulkreact.partnercenter.persistence import Store, persistence, replace
from bulkreact.partnercenter.sign_ins import SignIn
from bulkreact.partnercenter.token_errors import TokenServiceError


class Keyring:
    """A desktop's keyring, or one that is locked."""

    def __init__(self, _location: str, *, locked: bool = False) -> None:
        self.kept: str | None = None
        self.locked = locked

    def save(self, content: str) -> None:
        self._open()
        self.kept = content

    def load(self) -> str:
        self._open()
        if self.kept is None:
            raise PersistenceNotFound("nothing is kept")
        return self.kept

    def _open(self) -> None:
        if self.locked:
            raise RuntimeError("canary: org.freedesktop.Secret.Error.IsLocked")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    kept = persistence(Store.FILE, tmp_path / "one.cache")
    with pytest.raises(FileNotFoundError):
        kept.load()
    for content in ("first", "zweitens: ä"):
        kept.save(content)
        assert persistence(Store.FILE, tmp_path / "one.cache").load() == content
    assert [path.name for path in tmp_path.iterdir()] == ["one.cache"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's; Windows encrypts instead")
def test_a_file_is_its_owners_alone_at_every_moment(tmp_path: Path) -> None:
    modes = []

    def write(draft: FilePersistence) -> None:
        draft.save("token")
        modes.append(Path(draft.get_location()).stat().st_mode & 0o777)

    replace(tmp_path / "one.json", write)
    assert [*modes, (tmp_path / "one.json").stat().st_mode & 0o777] == [0o600, 0o600]


def test_a_disk_that_fills_up_costs_nothing_that_was_there(tmp_path: Path) -> None:
    kept = persistence(Store.FILE, tmp_path / "one.cache")
    kept.save("the refresh token")

    def torn(draft: FilePersistence) -> None:
        draft.save("the ref")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace(tmp_path / "one.cache", torn)
    assert kept.load() == "the refresh token"
    assert [path.name for path in tmp_path.iterdir()] == ["one.cache"]


def test_whoever_reads_meanwhile_sees_the_old_text_or_the_new_one(tmp_path: Path) -> None:
    kept = persistence(Store.FILE, tmp_path / "one.cache")
    kept.save("old")
    before = (tmp_path / "one.cache").open()
    kept.save("new")
    with before:
        # The old file was replaced, and not written over.
        assert before.read() == "old"
    assert kept.load() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows encrypts the file itself")
def test_a_keyring_keeps_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build_encrypted_persistence", Keyring)
    kept = persistence(Store.KEYRING, tmp_path / "one.cache")
    with pytest.raises(FileNotFoundError):
        kept.load()
    kept.save("token")
    assert kept.load() == "token"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows encrypts the file itself")
def test_trouble_with_a_keyring_is_one_kind_of_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build_encrypted_persistence", lambda location: Keyring(location, locked=True))
    kept = persistence(Store.KEYRING, tmp_path / "one.cache")
    for act in (kept.load, lambda: kept.save("token")):
        with pytest.raises(OSError, match=r"keyring refused it \(RuntimeError\)"):
            act()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows encrypts the file itself")
def test_without_a_keyring_the_other_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_location: str) -> Keyring:
        raise ImportError("no gi")

    monkeypatch.setattr(module, "build_encrypted_persistence", none)
    with pytest.raises(InputRefusedError, match="login --store file"):
        persistence(Store.KEYRING, tmp_path / "one.cache")


def test_a_refresh_token_that_could_not_be_stored_is_stored_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[str] = []
    room = [False, True, True]

    class Disk:
        def save(self, content: str) -> None:
            if not room.pop(0):
                raise OSError(28, "No space left on device")
            stored.append(content)

        def load(self) -> str:
            if not stored:
                raise FileNotFoundError
            return stored[-1]

    monkeypatch.setattr(sign_ins, "persistence", lambda *_: Disk())
    place = SignIn(tmp_path / "one")
    with pytest.raises(TokenServiceError, match="No space") as trouble, place.tokens(Store.FILE) as cache:
        cache.add(
            {"token_type": "Bearer", "response": {"refresh_token": "the new one"}, "token_endpoint": "https://x/y"}
        )
    assert trouble.value.passing
    with place.tokens(Store.FILE) as cache:
        (entry,) = cache.search(cache.CredentialType.REFRESH_TOKEN)
        assert entry["secret"] == "the new one"
    assert "the new one" in stored[-1]
