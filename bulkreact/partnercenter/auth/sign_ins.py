"""Stores the sign-ins of users: a refresh token each, encrypted if the platform can, never lost by a rotation."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import Timeout
from msal import SerializableTokenCache
from msgspec.structs import asdict

from bulkreact.errors import InputRefusedError
from bulkreact.file_access import foreign_access, take_private_folder
from bulkreact.partnercenter.auth.secret_store import PARTIAL_SUFFIX, Persistence, persistence, replace
from bulkreact.partnercenter.auth.sign_in_records import (
    FOLDER,
    REFRESH_TOKEN_DAYS,
    SignInRecord,
    TokenStorage,
    read_record,
    unusable_folder,
)
from bulkreact.partnercenter.auth.token_errors import TokenServiceError
from bulkreact.settings import Identity
from bulkreact.system_lock import release, system_lock
from bulkreact.wording import describe_error

# The most that the tokens grow in one rotation, in bytes.
_GROWTH = 1 << 16
_TIMES = frozenset({"cached_at", "expires_on", "extended_expires_on", "refresh_on", "last_modification_time"})
# The most that another process takes at the token service; shorter than the cap of a whole fetch.
_LOCK_SECONDS = 60.0


def sign_in_for(state: Path, identity: Identity) -> "SignIn":
    """Return the sign-in of an app in a tenant."""
    key = f"{identity.authority} {identity.client_id}"
    return SignIn(state / FOLDER / hashlib.sha256(key.encode()).hexdigest()[:32])


class SignIn:
    """The sign-in of an app in a tenant, for the current user of this machine."""

    def __init__(self, stem: Path) -> None:
        self._cache = stem.with_suffix(".cache")
        self._record = stem.with_suffix(".json")
        self._lock = system_lock(stem.with_suffix(".lock"), timeout=_LOCK_SECONDS)

    @property
    def file(self) -> Path:
        """Return the file of the refresh token; with a keyring, a file without a secret."""
        return self._cache

    def record(self) -> SignInRecord | None:
        """Return the record of the sign-in, None if there is none; InputRefusedError if it is damaged."""
        return read_record(self._record)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the refresh token against other processes."""
        try:
            take_private_folder(self._cache.parent)
            self._lock.acquire()
        except Timeout:
            raise TokenServiceError(
                "Another process has been renewing the sign-in for too long.", transient=True
            ) from None
        except OSError as error:
            raise self._write_error(error) from None
        try:
            self._recover_drafts()
            yield
        finally:
            release(self._lock)

    @contextmanager
    def tokens(self, store: TokenStorage) -> Iterator[SerializableTokenCache]:
        """Yield MSAL's cache of the tokens, and store it atomically if it changes; use it within ``exclusive``.

        InputRefusedError if the keyring cannot be reached.
        """
        storage = persistence(store, self._cache)
        cache = SerializableTokenCache()
        if stored := self._load(storage):
            cache.deserialize(stored)
        try:
            yield cache
        finally:
            if cache.has_state_changed:
                self._save(storage, cache.serialize())

    def refresh_token_expires_at(self, store: TokenStorage) -> datetime | None:
        """Return when the refresh token expires if unused, None if there is none."""
        with self.exclusive(), self.tokens(store) as cache:
            tokens = list(cache.search(cache.CredentialType.REFRESH_TOKEN))
        times = [str(token.get("last_modification_time")) for token in tokens]
        stored = max((int(seconds) for seconds in times if seconds.isdigit()), default=None)
        return datetime.fromtimestamp(stored, UTC) + timedelta(days=REFRESH_TOKEN_DAYS) if stored is not None else None

    def ensure_writable(self, store: TokenStorage) -> None:
        """Check that tokens can be stored; InputRefusedError if they cannot."""
        persistence(store, self._cache)
        size = _GROWTH + (self._cache.stat().st_size if self._cache.exists() else 0)
        try:
            replace(self._record.with_suffix(".probe"), lambda draft: draft.save("x" * size))
            self._record.with_suffix(".probe").unlink()
        except OSError as error:
            raise self._write_error(error) from None

    def save_tokens(self, store: TokenStorage, tokens: SerializableTokenCache) -> None:
        """Replace the stored tokens."""
        self._save(persistence(store, self._cache), tokens.serialize())

    def save_record(self, record: SignInRecord) -> None:
        """Store the record of a sign-in whose tokens are stored."""
        try:
            replace(self._record, lambda draft: draft.save(json.dumps(asdict(record), indent=2)))
        except OSError as error:
            raise self._save_error(error) from None

    @property
    def is_damaged(self) -> bool:
        """Return whether there are files that are not a complete sign-in."""
        try:
            return self.record() is None and self._cache.exists()
        except InputRefusedError:
            return True

    def delete(self) -> None:
        """Remove the sign-in, or what is left of it, from this machine."""
        record = None if self.is_damaged else self.record()
        try:
            if record and record.store is TokenStorage.KEYRING:
                # msal-extensions cannot remove an entry of a keyring, so empty it.
                persistence(record.store, self._cache).save("{}")
            for path in (self._cache, self._record):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InputRefusedError(
                f"The sign-in could not be removed: {describe_error(error)}. Remove it yourself: {self._cache}"
            ) from None

    def _recover_drafts(self) -> None:
        """Take over complete drafts of a process that was killed while it stored tokens, and remove the others."""
        drafts = self._cache.parent.glob(f"{self._cache.stem}.*{PARTIAL_SUFFIX}")
        try:
            for draft in sorted(drafts, key=lambda draft: draft.stat().st_mtime):
                if draft.name.startswith(self._cache.name) and self._is_whole(draft):
                    # The service may accept only these by now.
                    draft.replace(self._cache)
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._write_error(error) from None

    def _is_whole(self, draft: Path) -> bool:
        try:
            record = self.record()
            return _is_cache(json.loads(persistence(record.store if record else TokenStorage.FILE, draft).load()))
        except (OSError, ValueError, InputRefusedError):
            return False

    def _load(self, storage: Persistence) -> str:
        """Return the stored cache, empty if there is none; MSAL would crash on anything else."""
        try:
            if self._cache.exists() and (reason := foreign_access(self._cache)):
                raise self._read_error(reason)
            stored = storage.load()
            content = json.loads(stored)
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise self._read_error(describe_error(error)) from None
        if not _is_cache(content):
            raise self._read_error("it is damaged")
        return stored

    def _save(self, storage: Persistence, content: str) -> None:
        try:
            storage.save(content)
        except OSError as error:
            raise self._save_error(error) from None

    def _save_error(self, error: OSError) -> TokenServiceError:
        return TokenServiceError(
            f"The sign-in could not be stored: {describe_error(error)}. Make room in {self._cache.parent}; the refresh "
            "token in there is used up, so sign in again with: bulkreact login",
            transient=False,
        )

    def _read_error(self, reason: str) -> InputRefusedError:
        return InputRefusedError(
            f"The stored sign-in {self._cache} cannot be read ({reason}). Sign in again with: bulkreact login"
        )

    def _write_error(self, error: OSError) -> InputRefusedError:
        return unusable_folder(self._cache.parent, error)


def best_store(state: Path) -> TokenStorage:
    """Return the keyring if the platform has a working one, else a file."""
    try:
        # The library makes it too, for everybody's eyes.
        take_private_folder(state / FOLDER)
    except OSError as error:
        raise unusable_folder(state / FOLDER, error) from None
    try:
        persistence(TokenStorage.KEYRING, state / FOLDER / "probe.cache")
    except InputRefusedError:
        return TokenStorage.FILE
    return TokenStorage.KEYRING


def find_damaged(state: Path) -> list[SignIn]:
    """Return the unreadable sign-ins on this machine."""
    stems = {path.with_suffix("") for kind in ("json", "cache") for path in (state / FOLDER).glob(f"*.{kind}")}
    return [sign_in for stem in sorted(stems) if (sign_in := SignIn(stem)).is_damaged]


def _is_cache(content: object) -> bool:
    """Return whether JSON has the form of MSAL's cache: entries by key, by kind."""
    return isinstance(content, dict) and all(
        isinstance(kind, dict) and all(_is_entry(entry) for entry in kind.values()) for kind in content.values()
    )


def _is_entry(entry: object) -> bool:
    """Return whether an entry has only texts, and its times are numbers."""
    return isinstance(entry, dict) and all(
        value is None or (isinstance(value, str) and (name not in _TIMES or value.isdigit()))
        for name, value in entry.items()
    )
