"""The aiohttp edge: sends one request, returns what came back; it never judges."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from bulkreact.errors import CredentialsRefusedError
from bulkreact.models import NoResponse, Operation, Reply, Request, Response
from bulkreact.partnercenter.auth import Credentials
from bulkreact.partnercenter.network import proxy_for, trust
from bulkreact.settings import Limits, Service

BODY_CAP = 1 << 20
# Of customers with thousands of subscriptions.
_LIST_CAP = 1 << 26
_LISTS = frozenset({Operation.LIST_CUSTOMERS, Operation.LIST_SUBSCRIPTIONS, Operation.LIST_ENTITLEMENTS})
_CHUNK = 1 << 16
_HIDDEN = b"[hidden]"
_TOKEN_LENGTH = 8
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")


class Client:
    """Sends requests over one session; the token goes nowhere but into the Authorization header."""

    def __init__(self, session: ClientSession, base_url: str, credentials: Credentials) -> None:
        self._session = session
        self._base_url = base_url
        self._credentials = credentials

    async def send(self, request: Request) -> Reply:
        """Return the response, or how the call was lost; every call has the session's total time-out."""
        try:
            token = await self._credentials.token()
        except CredentialsRefusedError as error:
            # The token died between its last check and this call: nothing has left.
            return NoResponse(left=False, code="no-token", description=str(error))
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        url = URL(self._base_url + request.path, encoded=True)
        cap = _LIST_CAP if request.operation in _LISTS else BODY_CAP
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=request.body or None, allow_redirects=False
            ) as response:
                body = await _read(response, cap)
        except (ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError) as error:
            return NoResponse(left=False, code="unreachable", description=_words(error, token))
        except TimeoutError:
            return NoResponse(left=True, code="timed-out", description="no answer came within the time-out")
        except (ClientError, OSError) as error:
            # Also a kept-alive connection that turned out dead: the server may have acted all the same.
            return NoResponse(left=True, code="connection-lost", description=_words(error, token))
        return Response(
            response.status, hide(response.reason or "", token), _lower(response.headers), _hide(body, token)
        )


@asynccontextmanager
async def connect(service: Service, limits: Limits, credentials: Credentials) -> AsyncIterator[Client]:
    """Open a client for a run; TLS is always verified, the environment's proxies are used except for loopback."""
    timeout = ClientTimeout(total=limits.timeout, connect=min(30.0, limits.timeout * 0.8))
    async with ClientSession(
        connector=TCPConnector(limit=limits.concurrency, ssl=trust()),
        timeout=timeout,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers={"Content-Type", "Expect"},
        proxy=proxy_for(service.base_url),
    ) as session:
        # aiohttp would silently send a GET again on a broken connection: under the same ids, and past the pace.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        yield Client(session, service.base_url, credentials)


def hide(text: str, token: str) -> str:
    """Blank our token in words from outside; one that is shorter than any real one is a word like others."""
    return text.replace(token, _HIDDEN.decode()) if len(token) >= _TOKEN_LENGTH else text


async def _read(response: ClientResponse, cap: int) -> bytes:
    length = response.content_length
    if length is not None and length < cap and "Content-Encoding" not in response.headers:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) >= cap:
            # Nothing in a longer body is worth reading; the connection is not reused.
            response.close()
            return bytes(body[:cap])
    return bytes(body)


def _hide(body: bytes, token: str) -> bytes:
    if not body or len(token) < _TOKEN_LENGTH:
        return body
    for encoding in _ENCODINGS:
        body = body.replace(token.encode(encoding), _HIDDEN.decode().encode(encoding))
    return body


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _words(error: Exception, token: str) -> str:
    words = str(error) or type(error).__name__
    if isinstance(error, ClientHttpProxyError):
        # In full it would quote the proxy's address, which may have a password in it.
        words = f"the proxy answered {error.status} {error.message}"
    return " ".join(hide(words, token).split())[:1024]
