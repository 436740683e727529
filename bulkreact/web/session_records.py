"""Stores sessions with their people, and sign-ins that have begun."""

from collections.abc import Sequence

from msgspec import json

from bulkreact.web.permissions import Person, Role
from bulkreact.web.record_file import RecordFile
from bulkreact.web.records import StoredSession


class SessionRecords(RecordFile):
    """The sessions in the record of a server."""

    def add_session(self, session: StoredSession, person: Person) -> None:
        """Store a session and its person."""
        roles = json.encode(person.roles).decode()
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO people VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, roles = excluded.roles",
                (person.id, person.name, roles),
            )
            self._insert("sessions", session)

    def sessions(self) -> list[tuple[StoredSession, Person]]:
        """Return all sessions with their people."""
        with self._lock:
            rows = self._connection.execute("SELECT id, name, roles FROM people").fetchall()
        people = {key: Person(key, name, json.decode(roles, type=tuple[Role, ...])) for key, name, roles in rows}
        return [(session, people[session.person]) for session in self._select(StoredSession, "sessions")]

    def touch_session(self, hashed: str, used_at: str) -> None:
        """Store when a session was last used."""
        with self._writing() as connection:
            connection.execute("UPDATE sessions SET used_at = ? WHERE hash = ?", (used_at, hashed))

    def delete_sessions(self, hashes: Sequence[str] | None = None) -> None:
        """Delete sessions, all of them without hashes."""
        with self._writing() as connection:
            if hashes is None:
                connection.execute("DELETE FROM sessions")
            else:
                connection.executemany("DELETE FROM sessions WHERE hash = ?", [(hashed,) for hashed in hashes])

    def add_flow(self, hashed: str, content: str, *, now: str, expires_at: str) -> None:
        """Store a sign-in that has begun, and forget those that took too long."""
        with self._writing() as connection:
            connection.execute("DELETE FROM flows WHERE expires_at <= ?", (now,))
            connection.execute("INSERT INTO flows VALUES (?, ?, ?)", (hashed, content, expires_at))

    def take_flow(self, hashed: str, now: str) -> str | None:
        """Return a sign-in that has begun, and forget it; None if there is none or it took too long."""
        with self._writing() as connection:
            rows = connection.execute(
                "DELETE FROM flows WHERE hash = ? RETURNING content, expires_at", (hashed,)
            ).fetchall()
        return next((content for content, expires_at in rows if expires_at > now), None)
