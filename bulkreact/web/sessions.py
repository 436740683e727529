"""Sessions: an opaque id in a cookie, of which only the hash is stored, and a token that every form must have."""

import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from bulkreact.atomic_write import replacing_bytes
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.permissions import Person
from bulkreact.web.records import StoredSession
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.store import RecordStore

_SECRET_NAME = "secret"  # noqa: S105 - the name of a file
_SECRET_BYTES = 32
_WRITTEN_EVERY = timedelta(minutes=1)


class Session(Struct, frozen=True):
    """A session that is valid; ``token`` is for its forms."""

    hash: str
    token: str
    person: Person
    expires_at: datetime


class _Kept(Struct):
    stored: StoredSession
    person: Person
    used_at: datetime
    written_at: datetime


class Sessions:
    """All sessions of a server; they are kept in memory and written to the store."""

    def __init__(
        self,
        store: RecordStore,
        secret: bytes,
        now: Callable[[], datetime],
        *,
        longest: float,
        idle: float,
        sign_in: str,
    ) -> None:
        # A session that made-up people have begun is none where others sign in.
        self._sign_in = sign_in
        self._store = store
        self._secret = secret
        self._now = now
        self._longest = timedelta(seconds=longest)
        self._idle = timedelta(seconds=idle)
        self._kept: dict[str, _Kept] = {}
        self._ended: dict[str, str] = {}
        self._data_version: int | None = 0
        self._load()

    def _load(self) -> None:
        """Read the sessions again if another process has changed the store: everybody may have been signed out."""
        data_version = self._store.changed_elsewhere()
        if data_version == self._data_version:
            return
        self._data_version = data_version
        before, self._kept = self._kept, {}
        for stored, person in self._store.sessions():
            used_at = datetime.fromisoformat(stored.used_at)
            self._kept[stored.hash] = before.get(stored.hash) or _Kept(stored, person, used_at, used_at)

    def begin(self, person: Person) -> str:
        """Begin a session; return its id for the cookie."""
        session_id, now = secrets.token_urlsafe(_SECRET_BYTES), self._now()
        time = iso_milliseconds(now)
        stored = StoredSession(self._hash(session_id), person.id, time, time)
        self._store.add_session(stored, person)
        self._kept[stored.hash] = _Kept(stored, person, now, now)
        return session_id

    def needs_store(self, session_id: str | None) -> bool:
        """Return whether to find a session means to read or write the file, which may take a while."""
        kept = self._kept.get(self._hash(session_id)) if session_id else None
        is_due = kept is not None and self._now() - kept.written_at >= _WRITTEN_EVERY
        return is_due or self._store.changed_elsewhere(wait=False) != self._data_version

    def find(self, session_id: str | None, *, is_use: bool = True) -> Session | None:
        """Return the session with an id, None if there is none any more; ``is_use`` keeps it from expiring."""
        self._load()
        kept = self._kept.get(self._hash(session_id)) if session_id else None
        if session_id is None or kept is None:
            return None
        now, expires_at = self._now(), self._expiry(kept)
        if now >= expires_at:
            return None
        if is_use:
            kept.used_at = now
            expires_at = self._expiry(kept)
            if now - kept.written_at >= _WRITTEN_EVERY:
                kept.written_at = now
                # Where nothing can be written, pages can still be read.
                with suppress(RequestRefusedError):
                    self._store.touch_session(kept.stored.hash, iso_milliseconds(now))
        token = hmac.new(self._secret, session_id.encode(), sha256).hexdigest()
        return Session(kept.stored.hash, token, kept.person, expires_at)

    def end(self, session: Session, form_id: str = "") -> None:
        """End a session; ``form_id`` is that of the form that wants it."""
        self._store.delete_sessions([session.hash])
        self._ended[session.hash] = form_id
        self._kept.pop(session.hash, None)

    def was_ended_by(self, session_id: str | None, form_id: str) -> bool:
        """Return whether a form has ended the session with an id, of late."""
        return session_id is not None and form_id != "" and self._ended.get(self._hash(session_id)) == form_id

    def remove_expired(self) -> None:
        """Delete the sessions that have expired."""
        self._ended.clear()
        expired = [hashed for hashed, kept in self._kept.items() if self._now() >= self._expiry(kept)]
        for hashed in expired:
            del self._kept[hashed]
        if expired:
            self._store.delete_sessions(expired)

    def _hash(self, session_id: str) -> str:
        return sha256(f"{self._sign_in} {session_id}".encode("utf-8", "surrogatepass")).hexdigest()

    def _expiry(self, kept: _Kept) -> datetime:
        created_at = datetime.fromisoformat(kept.stored.created_at)
        return min(created_at + self._longest, kept.used_at + self._idle)


def is_token(session: Session, token: str) -> bool:
    """Return whether a form's token is the session's."""
    return hmac.compare_digest(session.token.encode(), token.encode("utf-8", "surrogatepass"))


def load_secret(folder: Path) -> bytes:
    """Return the secret of a data folder, which is made once."""
    path = folder / _SECRET_NAME
    if path.is_file() and len(secret := path.read_bytes()) == _SECRET_BYTES:
        return secret
    secret = secrets.token_bytes(_SECRET_BYTES)
    with replacing_bytes(path, private=True) as file:
        file.write(secret)
    return secret
