"""Where refresh tokens are stored: whole files, readable by their owner only, and a keyring whose failures are reported."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msal_extensions import FilePersistence
from msal_extensions.persistence import PersistenceNotFound

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth import secret_store as module
from bulkreact.partnercenter.auth import sign_ins
from bulkreact.partnercenter.auth.secret_store import persistence, replace
from bulkreact.partnercenter.auth.sign_in_records import SignInRecord, TokenStorage
from bulkreact.partnercenter.auth.sign_ins import SignIn, sign_in_for
from bulkreact.partnercenter.auth.token_errors import TokenServiceError
from bulkreact.settings import Identity


class Keyring:
    """A desktop's keyring, or one that is locked."""

    def __init__(self, _location: str, *, locked: bool = False) -> None:
        self.storage: str | None = None
        self.locked = locked

    def save(self, content: str) -> None:
        self._open()
        self.storage = content

    def load(self) -> str:
        self._open()
        if self.storage is None:
            raise PersistenceNotFound("nothing is storage")
        return self.storage

    def _open(self) -> None:
        if self.locked:
            raise RuntimeError("canary: org.freedesktop.Secret.Error.IsLocked")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    storage = persistence(TokenStorage.FILE, tmp_path / "one.cache")
    with pytest.raises(FileNotFoundError):
        storage.load()
    for content in ("first", "zweitens: ä"):
        storage.save(content)
        assert persistence(TokenStorage.FILE, tmp_path / "one.cache").load() == content
    assert [path.name for path in tmp_path.iterdir()] == ["one.cache"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's; Windows encrypts instead")
def test_a_file_is_private_at_all_times(tmp_path: Path) -> None:
    modes = []

    def write(draft: FilePersistence) -> None:
        draft.save("token")
        modes.append(Path(draft.get_location()).stat().st_mode & 0o777)

    replace(tmp_path / "one.json", write)
    assert [*modes, (tmp_path / "one.json").stat().st_mode & 0o777] == [0o600, 0o600]


def test_a_disk_that_fills_up_costs_nothing_that_was_there(tmp_path: Path) -> None:
    storage = persistence(TokenStorage.FILE, tmp_path / "one.cache")
    storage.save("the refresh token")

    def fail_half_way(draft: FilePersistence) -> None:
        draft.save("the ref")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace(tmp_path / "one.cache", fail_half_way)
    assert storage.load() == "the refresh token"
    assert [path.name for path in tmp_path.iterdir()] == ["one.cache"]


def test_a_concurrent_reader_sees_the_old_text_or_the_new_one(tmp_path: Path) -> None:
    storage = persistence(TokenStorage.FILE, tmp_path / "one.cache")
    storage.save("old")
    before = (tmp_path / "one.cache").open()
    storage.save("new")
    with before:
        # The old file was replaced, and not written over.
        assert before.read() == "old"
    assert storage.load() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows encrypts the file itself")
def test_a_keyring_keeps_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build_encrypted_persistence", Keyring)
    storage = persistence(TokenStorage.KEYRING, tmp_path / "one.cache")
    with pytest.raises(FileNotFoundError):
        storage.load()
    # Before there was a keyring.
    (tmp_path / "one.cache").write_text("an older token")
    storage.save("token")
    assert storage.load() == "token"
    assert not (tmp_path / "one.cache").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows encrypts the file itself")
def test_every_keyring_failure_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build_encrypted_persistence", lambda location: Keyring(location, locked=True))
    storage = persistence(TokenStorage.KEYRING, tmp_path / "one.cache")
    for access in (storage.load, lambda: storage.save("token")):
        with pytest.raises(OSError, match=r"keyring refused it \(RuntimeError\)"):
            access()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows encrypts the file itself")
def test_without_a_keyring_the_other_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_location: str) -> Keyring:
        raise ImportError("no gi")

    monkeypatch.setattr(module, "build_encrypted_persistence", none)
    with pytest.raises(InputRefusedError, match="login --store file"):
        persistence(TokenStorage.KEYRING, tmp_path / "one.cache")


IDENTITY = Identity("https://login.example/t", "", "", "", "")
CONTENT = '{"RefreshToken": {"a": {"secret": "the only one that is left"}}}'


def test_a_sign_in_that_cannot_be_cleared_up_does_not_stay_locked(tmp_path: Path) -> None:
    sign_in = sign_in_for(tmp_path, IDENTITY)
    obstacle = sign_in.file.with_name(f"{sign_in.file.name}.1.partial")
    obstacle.mkdir(parents=True)
    with pytest.raises(InputRefusedError), sign_in.exclusive():
        pytest.fail("it was not clear")
    obstacle.rmdir()
    with ThreadPoolExecutor(1) as pool:
        # In another thread, as runs do it: a lock that is held would be held against it.
        pool.submit(_enter, sign_in_for(tmp_path, IDENTITY)).result(60)


def _enter(sign_in: SignIn) -> None:
    with sign_in.exclusive():
        assert not list(sign_in.file.parent.glob("*.partial"))


def test_an_encrypted_draft_is_taken_by_a_process_that_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Encrypted:
        def __init__(self, store: TokenStorage, file: Path) -> None:
            self.store, self.file = store, file

        def load(self) -> str:
            if self.store is TokenStorage.FILE:
                raise ValueError("it is encrypted")
            return self.file.read_text()[::-1]

    monkeypatch.setattr(sign_ins, "persistence", Encrypted)
    sign_in = sign_in_for(tmp_path, IDENTITY)
    sign_in.file.parent.mkdir(parents=True)
    sign_in.save_record(
        SignInRecord("ann", "global", "", "", "", "", "", "", confidential=False, store=TokenStorage.KEYRING)
    )
    sign_in.file.write_text("used up")
    sign_in.file.with_name(f"{sign_in.file.name}.1.partial").write_text(CONTENT[::-1])
    with sign_in.exclusive():
        assert sign_in.file.read_text() == CONTENT[::-1]


def test_a_record_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    sign_in = sign_in_for(tmp_path, IDENTITY)
    sign_in.file.with_suffix(".json").mkdir(parents=True)
    with pytest.raises(TokenServiceError, match="could not be stored"):
        sign_in.save_record(
            SignInRecord("ann", "global", "", "", "", "", "", "", confidential=False, store=TokenStorage.FILE)
        )
