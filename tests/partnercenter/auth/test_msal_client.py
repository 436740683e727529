"""What is asked of the token service and what its answers mean: real MSAL, over TLS, with every odd answer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from bulkreact.partnercenter.auth.aadsts_codes import AADSTS_ERRORS, OAUTH_ERRORS, TRANSIENT_NUMBERS
from bulkreact.partnercenter.auth.app_credentials import SecretValue
from bulkreact.partnercenter.auth.msal_client import app_tokens
from bulkreact.partnercenter.auth.token_errors import TokenAnswer, TokenServiceError, answer_of, to_error
from bulkreact.redaction import Redactor
from bulkreact.settings import Identity
from bulkreact.simulator.identity.aadsts_errors import Fault
from tests.support.ids import AADSTS
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority, start_authority, tls, write_ca

RESOURCE = "https://api.partnercenter.microsoft.com"


def identity(authority_url: str, number: str = "") -> Identity:
    client_id = f"{CLIENT[:24]}{int(number):012d}" if number else CLIENT
    return Identity(f"{authority_url}/{TENANT}", TENANT, client_id, f"{RESOURCE}/.default", RESOURCE)


def fetch_error(who: Identity) -> TokenServiceError:
    """Ask once and return why there is no token."""
    with pytest.raises(TokenServiceError) as raised:
        app_tokens(who, SecretValue(SECRET, "the test"), Redactor())("")
    return raised.value


@pytest.fixture
def service(loop: asyncio.AbstractEventLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    with start_authority(loop, tmp_path) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        yield running


@pytest.mark.parametrize("number", AADSTS)
def test_every_documented_number_is_explained_with_what_to_do(service: Authority, number: str) -> None:
    error = fetch_error(identity(service.authority_url, number))
    reason, remedy = AADSTS_ERRORS[number]
    assert str(error) == f"The token service gave no token: {reason} (AADSTS{number}). {remedy}"
    assert error.number == number
    assert error.transient is (number in AADSTS[-7:])


def test_what_passes_is_what_the_page_says() -> None:
    assert frozenset(AADSTS[-7:]) == TRANSIENT_NUMBERS


@pytest.mark.parametrize("error", [*OAUTH_ERRORS, "unheard_of", ""])
def test_an_unknown_number_falls_back_on_the_error_and_names_its_page(error: str) -> None:
    content = {"error": error, "error_description": "AADSTS1234567: Something else. Trace ID: 77"}
    message = str(to_error(answer_of(content, status=400, retry_after="")))
    assert "AADSTS1234567" in message
    assert "https://login.microsoftonline.com/error?code=1234567" in message
    assert not [word for word in ("Something", "Trace", "unheard") if word in message]
    assert (OAUTH_ERRORS.get(error) or ("it refused the request",))[0] in message


@pytest.mark.parametrize(
    ("fault", "transient"),
    [
        (Fault(500), True),
        (Fault(502, html=True), True),
        (Fault(503), True),
        (Fault(429, retry_after="7"), True),
        (Fault(408), True),
        (Fault(200, html=True), True),
        (Fault(400, html=True), False),
        (Fault(404), False),
        (Fault(302), False),
        (Fault(400, "invalid_grant", 999_999), False),
        (Fault(400, "temporarily_unavailable"), True),
        (Fault(drop=True), True),
    ],
)
def test_transient_and_permanent_failures_are_distinguished(service: Authority, fault: Fault, transient: bool) -> None:
    # MSAL's session tries a broken line once more by itself.
    service.directory.faults = [fault] * 2
    error = fetch_error(identity(service.authority_url))
    assert error.transient is transient
    assert error.retry_after == (7 if fault.retry_after else None)


def test_each_attempt_asks_the_service_and_no_cache(service: Authority) -> None:
    service.directory.faults = [Fault(503), Fault(429, retry_after="60"), Fault(400, "invalid_request")]
    fetch = app_tokens(identity(service.authority_url), SecretValue(SECRET, "the test"), Redactor())
    for _ in range(3):
        with pytest.raises(TokenServiceError):
            fetch("")
    assert fetch("").token != fetch("").token
    assert len(service.directory.requests) == 5


ODD = {
    "a list": b"[]",
    "a word": b'"token"',
    "null": b"null",
    "nothing": b"",
    "torn": b'{"access_token": "canary-token", "refresh_token": "canary-ref',
    "a token that cannot travel": b'{"access_token": "canary\\r\\nEvil: 1", "expires_in": 3600, "token_type": "Bearer"}',
    "a token that is no text": b'{"access_token": {"a": 1}, "expires_in": 3600}',
    "no expiry": b'{"access_token": "canary-token", "token_type": "Bearer", "expires_in": null}',
    "an absurd expiry": b'{"access_token": "canary-token", "token_type": "Bearer", "expires_in": 1e999}',
    "an error that is no text": b'{"error": {"a": 1}, "error_description": ["b"], "error_codes": "c"}',
    "bytes that are no text": b"\xff\xfe\x00",
    "an echo as the error": b'{"error": "'
    + SECRET.encode()
    + b'\\u001b[2J\\n", "error_codes": [12345678901234567890]}',
    "an echo as the number": b'{"error": "x", "error_description": "AADSTS' + SECRET.encode() + b'"}',
    "an echo in a page": b"<html><title>" + SECRET.encode() + b"</title></html>",
    "an echo": b'{"error": "invalid_request", "error_description": "AADSTS1: You sent ' + SECRET.encode() + b'."}',
}


def test_a_code_that_was_never_entered_is_reported_as_that() -> None:
    answer = TokenAnswer(400, "authorization_pending", "70016")
    assert "the code expired before it was used" in str(to_error(answer))


Answers = Callable[[str], web.Response]


def answer_discovery(base: str) -> web.Response:
    """Return the answer that says where tokens are to be had."""
    return web.json_response({"issuer": base, "authorization_endpoint": f"{base}/a", "token_endpoint": f"{base}/t"})


@asynccontextmanager
async def serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, token: Answers, discovery: Answers = answer_discovery
) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve a token service with such answers over TLS; yield its address, and the paths at which a secret arrived."""
    lines = set()
    arrived: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        lines.add(request.transport)
        if SECRET in await request.text():
            arrived.append(request.path)
        base = f"https://localhost:{request.url.port}/{TENANT}"
        return discovery(base) if request.method == "GET" else token(base)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls()).start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(write_ca(tmp_path)))
    try:
        yield f"https://localhost:{runner.addresses[0][1]}", arrived
    finally:
        for line in lines:
            assert line
            # Closing one politely would wait for its client to say goodbye.
            line.abort()
        await runner.cleanup()


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("where", ["token", "discovery"])
async def test_no_answer_is_too_odd_and_none_is_repeated(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    status: int,
    where: str,
) -> None:
    def answer_oddly(_base: str) -> web.Response:
        return web.Response(body=ODD[kind], status=status, content_type="application/json")

    discovery = answer_oddly if where == "discovery" else answer_discovery
    async with serving(tmp_path, monkeypatch, token=answer_oddly, discovery=discovery) as (base, _):
        error = await asyncio.to_thread(fetch_error, identity(base))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert not [word for word in ("canary", SECRET) if word in str(error)]


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_secret_does_not_follow_a_redirect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def answer_elsewhere(base: str) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{base}/elsewhere"})

    async with serving(tmp_path, monkeypatch, token=answer_elsewhere) as (base, arrived):
        assert not (await asyncio.to_thread(fetch_error, identity(base))).transient
    assert arrived == [f"/{TENANT}/t"]


async def test_a_token_service_that_names_an_unencrypted_url_is_sent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]

        def answer_unencrypted(base: str) -> web.Response:
            endpoints = {"authorization_endpoint": f"{base}/a", "token_endpoint": f"http://127.0.0.1:{port}/t"}
            return web.json_response({"issuer": base, **endpoints})

        async with serving(tmp_path, monkeypatch, token=answer_unencrypted, discovery=answer_unencrypted) as (
            base,
            arrived,
        ):
            assert "does not come from a token service" in str(await asyncio.to_thread(fetch_error, identity(base)))
    assert (requests, arrived) == ([], [])


def test_msal_logs_no_secret(service: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service.directory.faults = [Fault(400, "invalid_client", 7_000_215), Fault(200, html=True)]
    for _ in range(3):
        with suppress(TokenServiceError):
            app_tokens(identity(service.authority_url), SecretValue(SECRET, "the test"), Redactor())("")
    assert len(service.directory.requests) == 3
    assert SECRET not in caplog.text
