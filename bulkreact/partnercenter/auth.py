"""Access tokens behind one coroutine; whoever asks does not know where they come from."""

from typing import Protocol

from bulkreact.errors import InputRefusedError


class Credentials(Protocol):
    """A source of access tokens."""

    async def token(self) -> str:
        """Return an access token that is good for a call now."""
        ...

    async def renew(self, since: float) -> None:
        """Fetch a fresh token, unless that has happened since a monotonic moment."""
        ...


class ReadyToken:
    """A token that somebody else fetched; it cannot be renewed, so a refused one is simply tried once more."""

    def __init__(self, token: str) -> None:
        self._token = checked_token(token)

    def __repr__(self) -> str:
        return "ReadyToken(…)"

    async def token(self) -> str:
        """Return the token."""
        return self._token

    async def renew(self, since: float) -> None:
        """Do nothing: there is no other token to be had."""


def checked_token(token: str) -> str:
    """Return a token that can travel in a header; InputRefusedError, which does not quote it, for any other."""
    bare = token.strip()
    if not bare or not bare.isascii() or not bare.isprintable() or " " in bare:
        raise InputRefusedError(
            "BULKREACT_ACCESS_TOKEN is not a token (it is empty, or has spaces or unusual characters in it). "
            "Set it to the bare access token, without 'Bearer'."
        )
    return bare
