"""The stored sign-ins of users: a refresh token each, encrypted where the platform can, and never lost to a rotation."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from msal import SerializableTokenCache

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.secret_store import PARTIAL_SUFFIX, Persistence, persistence, replace
from bulkreact.partnercenter.auth.sign_in_records import FOLDER, REFRESH_TOKEN_DAYS, SignInRecord, Store, read_record
from bulkreact.partnercenter.auth.token_errors import TokenServiceError
from bulkreact.settings import Identity

# What tokens grow by at most from one time to the next, in bytes.
_ROOM = 1 << 16
_TIMES = frozenset({"cached_at", "expires_on", "extended_expires_on", "refresh_on", "last_modification_time"})
# Another process asks the token service for as long as that at most; less than a fetch may take as a whole.
_LOCK_SECONDS = 60.0


def sign_in_for(state: Path, identity: Identity) -> "SignIn":
    """Return the place of an app's sign-in in a tenant."""
    key = f"{identity.authority} {identity.client_id}"
    return SignIn(state / FOLDER / hashlib.sha256(key.encode()).hexdigest()[:32])


class SignIn:
    """The place of one sign-in: that of an app in a tenant, on this machine, for this user of it."""

    def __init__(self, stem: Path) -> None:
        self._cache = stem.with_suffix(".cache")
        self._record = stem.with_suffix(".json")
        self._lock = FileLock(stem.with_suffix(".lock"), mode=0o600, timeout=_LOCK_SECONDS)

    @property
    def file(self) -> Path:
        """Return the file of the refresh token; with a keyring, a file beside it that holds no secret."""
        return self._cache

    def record(self) -> SignInRecord | None:
        """Return what is known of the sign-in, None when there is none; InputRefusedError when it is damaged."""
        return read_record(self._record)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes from using or replacing the refresh token meanwhile."""
        try:
            self._cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise TokenServiceError(
                "Another process has been renewing the sign-in for too long.", transient=True
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._clear_up()
            yield
        finally:
            self._lock.release()

    @contextmanager
    def tokens(self, store: Store) -> Iterator[SerializableTokenCache]:
        """Yield the tokens as MSAL keeps them, and store them again if they change, at once and whole.

        It must be done within ``exclusive``. InputRefusedError says that the keyring cannot be reached.
        """
        kept = persistence(store, self._cache)
        cache = SerializableTokenCache()
        if stored := self._load(kept):
            cache.deserialize(stored)
        try:
            yield cache
        finally:
            if cache.has_state_changed:
                self._save(kept, cache.serialize())

    def refresh_token_expires_at(self, store: Store) -> datetime | None:
        """Return when the refresh token expires unless it is used, None when there is none."""
        with self.exclusive(), self.tokens(store) as cache:
            tokens = list(cache.search(cache.CredentialType.REFRESH_TOKEN))
        times = [str(token.get("last_modification_time")) for token in tokens]
        stored = max((int(seconds) for seconds in times if seconds.isdigit()), default=None)
        return datetime.fromtimestamp(stored, UTC) + timedelta(days=REFRESH_TOKEN_DAYS) if stored is not None else None

    def ensure_writable(self, store: Store) -> None:
        """Make sure that tokens can be stored; InputRefusedError when not."""
        persistence(store, self._cache)
        size = _ROOM + (self._cache.stat().st_size if self._cache.exists() else 0)
        try:
            replace(self._record.with_suffix(".probe"), lambda draft: draft.save("x" * size))
            self._record.with_suffix(".probe").unlink()
        except OSError as error:
            raise self._unwritable(error) from None

    def save_tokens(self, store: Store, tokens: SerializableTokenCache) -> None:
        """Store tokens in the place of those that were there."""
        self._save(persistence(store, self._cache), tokens.serialize())

    def save_record(self, record: SignInRecord) -> None:
        """Write down what is known of a sign-in whose tokens are stored."""
        try:
            replace(self._record, lambda draft: draft.save(json.dumps(asdict(record), indent=2)))
        except OSError as error:
            raise self._unsaved(error) from None

    @property
    def damaged(self) -> bool:
        """Tell whether there is something that is no sign-in, or no longer one."""
        try:
            return self.record() is None and self._cache.exists()
        except InputRefusedError:
            return True

    def delete(self) -> None:
        """Remove the sign-in from this machine, or what is left of one."""
        record = None if self.damaged else self.record()
        try:
            if record and record.store is Store.KEYRING:
                # The interface has no way to remove an entry of a keyring: it is emptied.
                persistence(record.store, self._cache).save("{}")
            for path in (self._cache, self._record):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InputRefusedError(
                f"The sign-in could not be removed: {error.strerror or error}. Remove it yourself: {self._cache}"
            ) from None

    def _clear_up(self) -> None:
        """Remove what a process that was killed while it stored has left; tokens that it had stored whole are taken."""
        drafts = self._cache.parent.glob(f"{self._cache.stem}.*{PARTIAL_SUFFIX}")
        try:
            for draft in sorted(drafts, key=lambda draft: draft.stat().st_mtime):
                if draft.name.startswith(self._cache.name) and self._is_whole(draft):
                    # The service may know only these by now.
                    draft.replace(self._cache)
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def _is_whole(self, draft: Path) -> bool:
        try:
            record = self.record()
            return _is_cache(json.loads(persistence(record.store if record else Store.FILE, draft).load()))
        except (OSError, ValueError, InputRefusedError):
            return False

    def _load(self, kept: Persistence) -> str:
        """Return what is stored, empty when nothing is; MSAL itself would stumble over anything that is not its own."""
        try:
            stored = kept.load()
            content = json.loads(stored)
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from None
        if not _is_cache(content):
            raise self._unreadable("it is not what was written")
        return stored

    def _save(self, kept: Persistence, stored: str) -> None:
        try:
            kept.save(stored)
        except OSError as error:
            raise self._unsaved(error) from None

    def _unsaved(self, error: OSError) -> TokenServiceError:
        return TokenServiceError(
            f"The sign-in could not be stored: {error.strerror or error}. Make room in {self._cache.parent}; the refresh "
            "token in there is used up, so sign in again with: bulkreact login",
            transient=False,
        )

    def _unreadable(self, why: str) -> InputRefusedError:
        return InputRefusedError(
            f"The stored sign-in {self._cache} cannot be read ({why}). Sign in again with: bulkreact login"
        )

    def _unwritable(self, error: OSError) -> InputRefusedError:
        return InputRefusedError(
            f"The folder for sign-ins, {self._cache.parent}, cannot be written: {error.strerror}. "
            "Name another in BULKREACT_STATE_DIR."
        )


def best_store(state: Path) -> Store:
    """Return the keyring where the platform has one that works, else a file."""
    try:
        persistence(Store.KEYRING, state / FOLDER / "probe.cache")
    except InputRefusedError:
        return Store.FILE
    return Store.KEYRING


def damaged(state: Path) -> list[SignIn]:
    """Return the places on this machine that hold something, but no sign-in that can be read."""
    stems = {path.with_suffix("") for kind in ("json", "cache") for path in (state / FOLDER).glob(f"*.{kind}")}
    return [place for stem in sorted(stems) if (place := SignIn(stem)).damaged]


def _is_cache(content: object) -> bool:
    """Tell whether JSON has the form of MSAL's cache: entries by their keys, by their kinds."""
    return isinstance(content, dict) and all(
        isinstance(kind, dict) and all(_is_entry(entry) for entry in kind.values()) for kind in content.values()
    )


def _is_entry(entry: object) -> bool:
    """Tell whether an entry has texts alone, and its times are numbers."""
    return isinstance(entry, dict) and all(
        value is None or (isinstance(value, str) and (name not in _TIMES or value.isdigit()))
        for name, value in entry.items()
    )
