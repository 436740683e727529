"""Sends requests through aiohttp and returns the responses without judging them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    ServerDisconnectedError,
)
from aiohttp.hdrs import ACCEPT_ENCODING, HOST
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bulkreact import USER_AGENT
from bulkreact.errors import CredentialsRefusedError
from bulkreact.models import NoResponse, Operation, Reply, Request, Response
from bulkreact.partnercenter.auth.access_tokens import Credentials
from bulkreact.partnercenter.body_reader import ACCEPTED_ENCODINGS, read_body
from bulkreact.partnercenter.connections import CheckedConnector, DiscardableResponse, UnreadableHeadersError
from bulkreact.partnercenter.error_codes.local_codes import WRONG_ANSWER
from bulkreact.partnercenter.network import describe_failure, proxy_for, refused_proxies, tls_context, trust_source
from bulkreact.partnercenter.protocol import NO_TOKEN, common_headers, is_from_service
from bulkreact.partnercenter.refusals import WRONG_PASSWORD, WayRefusal, late_refusal, proxy_refusal, tls_refusal
from bulkreact.partnercenter.sent_ids import CORRELATION_ID, REQUEST_ID, SentIds
from bulkreact.partnercenter.timeouts import TimeLimit
from bulkreact.redaction import Redactor
from bulkreact.settings import Limits, Service

BODY_CAP = 1 << 20
# For customers with thousands of subscriptions: of one list, and of all calls in flight together.
_LIST_CAP = 1 << 26
_LISTS_CAP = 1 << 28
_LISTS = frozenset({Operation.LIST_CUSTOMERS, Operation.LIST_SUBSCRIPTIONS, Operation.LIST_ENTITLEMENTS})
_CHUNK = 1 << 16
# Gateways add cookies of 9 kB and headers by the hundred.
_HEADER_SIZE = 1 << 18
_HEADERS = 1024
# They hide nothing, and to search them costs as much as a call's timer.
_PHRASES = frozenset(status.phrase for status in HTTPStatus)


class Client:
    """Sends requests over one session; the token is only in the Authorization header."""

    def __init__(
        self,
        session: ClientSession,
        connector: CheckedConnector,
        base_url: str,
        credentials: Credentials,
        *,
        limits: Limits,
        headers: Mapping[str, str],
        redactor: Redactor,
        proxy: str | None = None,
    ) -> None:
        self._session = session
        self._connector = connector
        self._headers = headers
        self._base_url = base_url
        self._origin = URL(base_url, encoded=True)
        self._prefix = self._origin.raw_path.rstrip("/")
        self._credentials = credentials
        self._time_limit = TimeLimit(limits.timeout)
        self._list_cap = list_cap(limits.concurrency)
        self._sent_ids = SentIds()
        self._redactor = redactor
        self._proxy = proxy

    async def send(self, request: Request) -> Reply:
        """Return the response, or why there is none; all calls have the same time-out."""
        try:
            token = await self._credentials.token()
        except CredentialsRefusedError as error:
            # The token expired since the last check: nothing was sent.
            return NoResponse(sent=False, code=NO_TOKEN, description=str(error))
        self._sent_ids.begin(request)
        try:
            return await self._send(request, token)
        finally:
            self._sent_ids.end(request)

    async def _send(self, request: Request, token: str) -> Reply:
        self._redactor.add(token)
        headers = {**self._headers, **request.headers, "Authorization": f"Bearer {token}"}
        try:
            with self._time_limit:
                response = await self._session.request(
                    request.method,
                    self._url(request.path),
                    headers=headers,
                    data=request.body or None,
                    allow_redirects=False,
                )
                if self._is_of_another_call(response, request):
                    return NoResponse(
                        sent=True, code=WRONG_ANSWER, description="the answer is not the one to this call"
                    )
                try:
                    cap = self._list_cap if request.operation in _LISTS and response.ok else BODY_CAP
                    body = await read_body(response, cap)
                finally:
                    # A fully read response has already released its connection.
                    if not response.closed:
                        response.release()
        except (ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError) as error:
            return self._no_response(error, sent=False, code="unreachable")
        except TimeoutError:
            return NoResponse(sent=True, code="timed-out", description="no answer came within the time-out")
        except UnreadableHeadersError as error:
            if not is_from_service(error.headers) or self._names_another_call(error.headers, request):
                return self._no_response(error, sent=True, code="connection-lost")
            return Response(error.status, "", error.headers, b"")
        except (ClientError, OSError) as error:
            # Also if a kept-alive connection was dead: the server may have acted.
            return self._no_response(error, sent=True, code="connection-lost")
        # Names are case-insensitive; repeated headers matter only in errors.
        received = response.headers if response.ok else _join_headers(response.headers)
        reason = response.reason or ""
        if reason not in _PHRASES:
            reason = self._redactor.redact(reason)
        if body:
            body = await self._redact_body(body, is_cut=len(body) >= cap)
        return Response(response.status, reason, received, body)

    def _no_response(self, error: Exception, *, sent: bool, code: str) -> NoResponse:
        if refusal := find_refusal(error, host=self._origin.host or "", proxy=self._proxy):
            return NoResponse(sent=sent, code=refusal.code, description=refusal.message, refused=True)
        return NoResponse(sent=sent, code=code, description=describe_error(error))

    def _names_another_call(self, headers: Mapping[str, str], request: Request) -> bool:
        named = [headers[name.lower()] for name in (REQUEST_ID, CORRELATION_ID) if name.lower() in headers]
        return self._sent_ids.name_another(named, request)

    async def _redact_body(self, body: bytes, *, is_cut: bool) -> bytes:
        # A long list would keep the calls of others waiting.
        if len(body) > _CHUNK:
            return await asyncio.to_thread(redact_body, body, self._redactor, is_cut=is_cut)
        return redact_body(body, self._redactor, is_cut=is_cut)

    def _is_of_another_call(self, response: ClientResponse, request: Request) -> bool:
        """Return whether a response is that to another call; its connection is closed then: what comes next is no better.

        It names that call; or it is a success on a used connection and names none, though the service names them. A
        service that does so by right is heard on the next, new connection.
        """
        named = [*response.headers.getall(REQUEST_ID, ()), *response.headers.getall(CORRELATION_ID, ())]
        is_other = self._sent_ids.name_another(named, request)
        if not isinstance(response, DiscardableResponse):
            return is_other
        is_nameless = response.is_reused and response.ok and not named and self._sent_ids.are_echoed
        if is_other or is_nameless:
            self._connector.stop_reusing()
            response.discard()
        return is_other or is_nameless

    def _url(self, path: str) -> URL:
        if "?" in path:
            return URL(f"{self._base_url}{path}", encoded=True)
        # Parsing the whole URL would take three times as long.
        return self._origin.with_path(f"{self._prefix}{path}", encoded=True)


class _Request(ClientRequest):
    """A request with exactly the given headers: aiohttp would add some for a missing body."""

    POST_METHODS = set()  # noqa: RUF012 - as aiohttp declares it

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Use the headers without a copy: they belong to this request only."""
        if isinstance(headers, CIMultiDict) and HOST in headers:
            self.headers = headers
        else:
            super().update_headers(headers)


@asynccontextmanager
async def connect(
    service: Service, limits: Limits, credentials: Credentials, redactor: Redactor
) -> AsyncIterator[Client]:
    """Open a client for a run; TLS is always verified, the environment's proxies are used except for loopback.

    The ``redactor`` hides its secrets, and the tokens that are sent, in every answer.
    """
    # Each call has a separate limit on its whole duration.
    timeout = ClientTimeout(total=None, connect=min(30.0, limits.timeout * 0.8))
    address = URL(service.base_url)
    agent = {"User-Agent": USER_AGENT}
    headers = {
        HOST: address.host_port_subcomponent or "",
        ACCEPT_ENCODING: ACCEPTED_ENCODINGS,
        **agent,
        **common_headers(service.api_version, service.locale),
    }
    proxy = proxy_for(service.base_url)
    connector = CheckedConnector(limit=limits.concurrency, ssl=tls_context() if address.scheme == "https" else True)
    async with ClientSession(
        connector=connector,
        timeout=timeout,
        # A session sends its headers to a proxy too.
        headers=agent if proxy else headers,
        cookie_jar=DummyCookieJar(),
        request_class=_Request,
        response_class=DiscardableResponse,
        proxy=proxy,
        # A body that cannot be decoded must not hide the status.
        auto_decompress=False,
        max_line_size=_HEADER_SIZE,
        max_field_size=_HEADER_SIZE,
        max_headers=_HEADERS,
    ) as session:
        # aiohttp would silently repeat a GET on a broken connection: with the same ids, and outside the rate limit.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        yield Client(
            session,
            connector,
            service.base_url,
            credentials,
            limits=limits,
            headers=headers if proxy else {},
            redactor=redactor,
            proxy=proxy,
        )


def list_cap(concurrency: int) -> int:
    """Return how many bytes of a list are read, so that as many lists at a time fit into memory."""
    return max(BODY_CAP, min(_LIST_CAP, _LISTS_CAP // concurrency))


def redact_body(body: bytes, redactor: Redactor, *, is_cut: bool) -> bytes:
    """Return a body in its own encoding without secrets; the same bytes if it has none."""
    encoding = json.detect_encoding(body)
    text = body.decode(encoding, "replace")
    redacted = redactor.redact(text, is_cut=is_cut)
    return body if redacted == text else redacted.encode(encoding, "replace")


def describe_error(error: Exception) -> str:  # noqa: PLR0911 - one line a type
    """Say why a call has no answer, by the type of the error: aiohttp's own words contain URLs and what came."""
    match error:
        case ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case ClientConnectorCertificateError():
            return describe_failure(error.certificate_error)
        case ClientProxyConnectionError():
            return f"the proxy cannot be reached: {describe_failure(error.os_error)}"
        case ClientConnectorError():
            return describe_failure(error.os_error)
        case ConnectionTimeoutError():
            return "no connection within the time-out"
        case ServerDisconnectedError():
            return "the connection was closed without an answer"
        case ClientPayloadError():
            return "the answer broke off, or cannot be decoded"
        case ClientResponseError() | UnreadableHeadersError():
            return "what answered does not speak HTTP, or breaks its rules"
    return describe_failure(error)


def find_refusal(error: Exception, *, host: str, proxy: str | None) -> WayRefusal | None:
    """Return why the way to a host is refused for good, None if another attempt may help; note whether the proxy did."""
    if isinstance(error, ClientHttpProxyError):
        if proxy and error.status in WRONG_PASSWORD:
            refused_proxies.add(proxy)
        return proxy_refusal(error.status, host=host)
    if isinstance(error, ClientConnectorError):
        # The error names the host of the connection, which may be the proxy's.
        return tls_refusal(error, host=error.host, port=error.port, trust=trust_source())
    return late_refusal(error, host=host)


def _join_headers(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Return headers by lower-case name; repeated ones are joined with commas."""
    return {name.lower(): ", ".join(headers.getall(name)) for name in headers}
