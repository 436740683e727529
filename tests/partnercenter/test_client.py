"""The wire, over real sockets: what the server sees, and what becomes of every way to lose an answer."""

import asyncio
import ssl
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aioresponses import aioresponses
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bulkreact import USER_AGENT
from bulkreact.errors import InputRefusedError
from bulkreact.models import NoResponse, Operation, Reply, Request, Response
from bulkreact.partnercenter.auth.access_tokens import StaticToken
from bulkreact.partnercenter.client import BODY_CAP, connect
from bulkreact.partnercenter.protocol import build_customers_request, build_request, common_headers, judge
from bulkreact.partnercenter.verdicts import Fatal, Transient
from bulkreact.redaction import Redactor
from bulkreact.settings import Cloud, Limits, Service
from tests.support.ids import guid, scenario_id, target
from tests.support.program import CANARY
from tests.support.raw_server import Talk, listening


def request(operation: Operation = Operation.REACTIVATE_ENTITLEMENT) -> Request:
    return build_request(operation, target(scenario_id(1)), request_id=guid(1), correlation_id=guid(2))


async def send(base_url: str, *requests: Request, seconds: float = 30) -> list[Response | NoResponse]:
    service = Service(Cloud.GLOBAL, base_url, "v1", simulated=False)
    async with connect(service, Limits(timeout=seconds), StaticToken(CANARY, now=time.time), Redactor()) as client:
        return [await client.send(request) for request in requests]


def reply_with(reply: bytes, received: list[bytes] | None = None) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if received is not None:
            received.append(head)
        writer.write(reply)
        await writer.drain()

    return talk


BEARER = 'Bearer error="invalid_token"'
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nMS-RequestId: x\r\n\r\n"


async def test_the_bytes_on_the_wire_are_the_documented_call() -> None:
    received: list[bytes] = []
    async with listening(reply_with(ACCEPTED, received)) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(reply, Response)
    assert (reply.status, reply.body, reply.headers["ms-requestid"]) == (202, b"", "x")
    first, *lines = received[0].decode().rstrip("\r\n").split("\r\n")
    assert lines[0] == f"Host: {base_url.removeprefix('http://')}"
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == f"POST {request().path} HTTP/1.1"
    assert headers["Authorization"] == f"Bearer {CANARY}"
    assert headers["Content-Length"] == "0"
    assert headers["User-Agent"] == USER_AGENT
    expected = {**common_headers("v1", "en-US"), **request().headers}
    assert {name: headers[name] for name in expected} == expected
    assert not {"Content-Type", "Expect", "Transfer-Encoding", "Cookie"} & set(headers)


async def test_an_address_with_a_path_of_its_own_is_kept() -> None:
    received: list[bytes] = []
    async with listening(reply_with(ACCEPTED, received)) as base_url:
        await send(f"{base_url}/partner/center", request())
        listed = build_customers_request(request_id=guid(1), correlation_id=guid(2), api_version="v1")
        await send(f"{base_url}/partner", listed)
    assert received[0].decode().startswith(f"POST /partner/center{request().path} HTTP/1.1\r\n")
    assert received[1].startswith(b"GET /partner/v1/customers?size=1 HTTP/1.1\r\n")


async def test_a_read_has_neither_body_nor_length() -> None:
    received: list[bytes] = []
    async with listening(reply_with(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", received)) as base_url:
        await send(base_url, request(Operation.GET_ENTITLEMENT))
    assert received[0].startswith(b"GET ")
    assert b"content-length" not in received[0].lower()
    assert b"content-type" not in received[0].lower()


async def test_connections_are_kept_and_used_again() -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while not reader.at_eof():
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            writer.write(ACCEPTED)

    async with listening(talk) as base_url:
        replies = await send(base_url, *[request()] * 5)
    assert [isinstance(reply, Response) for reply in replies] == [True] * 5
    assert connections == 1


async def test_a_redirect_is_not_followed_and_gets_no_token() -> None:
    received: list[bytes] = []
    elsewhere: list[bytes] = []
    async with listening(reply_with(ACCEPTED, elsewhere)) as other:
        redirect = f"HTTP/1.1 307 Go\r\nLocation: {other}/x\r\nContent-Length: 0\r\n\r\n".encode()
        async with listening(reply_with(redirect, received)) as base_url:
            (reply,) = await send(base_url, request())
    assert isinstance(reply, Response)
    assert reply.status == 307
    assert (len(received), elsewhere) == (1, [])


async def test_cookies_are_not_kept() -> None:
    received: list[bytes] = []
    cookie = b"HTTP/1.1 202 Accepted\r\nSet-Cookie: a=b; Path=/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with listening(reply_with(cookie, received)) as base_url:
        # By name: cookies of bare addresses would not be kept anyway.
        await send(base_url.replace("127.0.0.1", "localhost"), request(), request())
    assert b"cookie" not in received[1].lower()


async def test_a_connection_that_closes_without_an_answer_is_a_lost_call() -> None:
    async with listening(reply_with(b"")) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code) == (True, "connection-lost")


async def test_an_answer_cut_off_in_its_body_is_a_lost_call() -> None:
    async with listening(reply_with(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{")) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code) == (True, "connection-lost")


async def test_an_answer_that_is_no_http_is_a_lost_call() -> None:
    async with listening(reply_with(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(reply, NoResponse)
    assert reply.sent


async def test_a_call_that_is_not_answered_in_time_is_lost() -> None:
    released = asyncio.Event()

    async def talk(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await released.wait()

    async with listening(talk) as base_url:
        (reply,) = await send(base_url, request(), seconds=0.2)
        released.set()
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code) == (True, "timed-out")


async def test_a_body_that_dribbles_for_ever_is_ended_by_the_same_time_out() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\n \r\n")
            try:
                await writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(0.02)

    async with listening(talk) as base_url:
        (reply,) = await send(base_url, request(), seconds=0.3)
    assert isinstance(reply, NoResponse)
    assert reply.code == "timed-out"


async def test_a_read_whose_connection_breaks_is_not_sent_again_behind_our_back() -> None:
    received: list[bytes] = []
    async with listening(reply_with(b"", received)) as base_url:
        (reply,) = await send(base_url, request(Operation.GET_ENTITLEMENT))
    assert isinstance(reply, NoResponse)
    assert len(received) == 1


async def test_the_password_of_a_proxy_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []
    async with listening(reply_with(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", received)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.replace("://", "://ann:hunter2%21proxy@"))
        monkeypatch.delenv("no_proxy", raising=False)
        (reply,) = await send("https://partner.example", request())
    assert isinstance(reply, NoResponse)
    assert "(HTTP 407)" in reply.description
    assert not [text for text in ("hunter2", "Who are you") if text in reply.description]


async def test_a_proxy_that_refuses_to_connect_was_as_far_as_the_call_went(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []
    async with listening(reply_with(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", received)) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        (reply,) = await send("https://partner.example", request())
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code, reply.refused) == (False, "proxy-refused", True)
    # What is said to Partner Center is none of the proxy's business.
    assert received[0].startswith(b"CONNECT partner.example:443 ")
    assert f"\r\nUser-Agent: {USER_AGENT}\r\n".encode() in received[0]
    assert not [word for word in (b"ms-", b"locale", b"json", b"bearer") if word in received[0].lower()]


async def test_behind_a_proxy_the_service_hears_what_it_always_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with aioresponses() as mocked:
        mocked.post(f"https://partner.example{request().path}", exception=aiohttp.ServerDisconnectedError())
        await send("https://partner.example", request())
        ((call,),) = mocked.requests.values()
    expected = {**common_headers("v1", "en-US"), **request().headers}
    assert {name: call.kwargs["headers"].get(name) for name in expected} == expected


@pytest.mark.parametrize("challenges", [("Negotiate", BEARER), (BEARER, "Negotiate")])
async def test_headers_that_come_twice_are_both_heard(challenges: tuple[str, str]) -> None:
    lines = "".join(f"WWW-Authenticate: {challenge}\r\n" for challenge in challenges)
    async with listening(reply_with(f"HTTP/1.1 401 No\r\n{lines}Content-Length: 0\r\n\r\n".encode())) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(judge(Operation.REACTIVATE_ENTITLEMENT, reply, now=datetime.now(UTC)), Fatal)


async def test_passwords_in_a_netrc_file_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password canary-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    received: list[bytes] = []
    async with listening(reply_with(ACCEPTED, received)) as base_url:
        await send(base_url, request())
    assert f"Authorization: Bearer {CANARY}\r\n".encode() in received[0]


async def test_a_server_that_is_not_there_was_never_reached() -> None:
    async with listening(reply_with(b"")) as base_url:
        pass
    (reply,) = await send(base_url, request())
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code) == (False, "unreachable")


async def test_a_name_that_does_not_exist_was_never_reached() -> None:
    (reply,) = await send("https://partner.invalid", request(), seconds=10)
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code) == (False, "unreachable")


def write_self_signed(path: Path) -> Path:
    """Write a self-signed certificate for localhost, together with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return path


async def test_an_untrusted_certificate_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    received: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_self_signed(tmp_path / "certificate.pem"))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        (reply,) = await send(f"https://localhost:{server.sockets[0].getsockname()[1]}", request())
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code, reply.refused) == (False, "tls-refused", True)
    assert "certificate" in reply.description.lower()
    assert received == []


@pytest.mark.parametrize(
    ("operation", "status", "is_cut"),
    [
        (Operation.REACTIVATE_ENTITLEMENT, 400, True),
        (Operation.GET_ENTITLEMENT, 200, True),
        (Operation.LIST_ENTITLEMENTS, 400, True),
        (Operation.LIST_ENTITLEMENTS, 200, False),
    ],
)
async def test_a_body_beyond_the_cap_is_cut_unless_it_is_a_list(
    operation: Operation, status: int, *, is_cut: bool
) -> None:
    body = b"x" * (BODY_CAP + 100_000)
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with listening(reply_with(head + body)) as base_url:
        (reply,) = await send(base_url, request(operation))
    assert isinstance(reply, Response)
    # The end of a cut body could be the beginning of a secret.
    assert not reply.body.strip(b"x")
    assert reply.body == body if not is_cut else BODY_CAP * 0.9 < len(reply.body) < BODY_CAP


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
async def test_our_token_is_blanked_in_whatever_comes_back(encoding: str) -> None:
    body = f'{{"code":1,"description":"bad token {CANARY}"}}'.encode(encoding)
    head = f"HTTP/1.1 400 No {CANARY}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with listening(reply_with(head + body)) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(reply, Response)
    assert CANARY.encode(encoding) not in reply.body
    assert "bad token [hidden]" in reply.body.decode(encoding)
    assert reply.reason == "No [hidden]"


@pytest.mark.parametrize(
    "failure",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("cut"),
        aiohttp.ClientOSError(104, "reset"),
        aiohttp.ServerTimeoutError(),
        ConnectionResetError(),
    ],
)
async def test_every_failure_after_the_connection_stood_is_a_lost_call(failure: Exception) -> None:
    with aioresponses() as mocked:
        mocked.post(f"https://partner.example{request().path}", exception=failure)
        (reply,) = await send("https://partner.example", request())
    assert isinstance(reply, NoResponse)
    assert reply.sent


@pytest.mark.parametrize("token", ["", "  ", "two words", "a\r\nEvil: 1", "töken"])
def test_a_token_that_cannot_travel_in_a_header_is_refused_without_quoting_it(token: str) -> None:
    with pytest.raises(InputRefusedError) as refusal:
        StaticToken(token, now=time.time)
    assert not token.strip() or token not in str(refusal.value)


def test_a_token_is_not_shown_by_accident() -> None:
    assert CANARY not in repr(StaticToken(CANARY, now=time.time))


async def answered_with(head: bytes, body: bytes) -> Reply:
    async with listening(reply_with(b"HTTP/1.1 " + head + body)) as base_url:
        (reply,) = await send(base_url, request())
    return reply


HEADER_FLOODS = [
    b"Set-Cookie: secret=" + b"c" * 9000 + b"\r\n",
    b"Set-Cookie: secret=" + b"c" * 100_000 + b"\r\n",
    b"".join(b"X-Edge-%d: v\r\n" % number for number in range(150)),
    b"".join(b"X-Edge-%d: v\r\n" % number for number in range(900)),
]


@pytest.mark.parametrize("flood", HEADER_FLOODS)
async def test_an_acceptance_under_a_flood_of_headers_is_an_acceptance(flood: bytes) -> None:
    reply_bytes = b"HTTP/1.1 202 Accepted\r\n" + flood + b"Content-Length: 0\r\n\r\n"
    async with listening(reply_with(reply_bytes)) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(reply, Response)
    assert reply.status == 202


@pytest.mark.parametrize("flood", [b"Set-Cookie: " + b"c" * 400_000 + b"\r\n", b"X-Edge: v\r\n" * 2000])
async def test_a_flood_that_cannot_be_read_hides_no_status_of_the_service(flood: bytes) -> None:
    end = b"Content-Length: 0\r\n\r\n"
    accepted = await answered_with(b"202 Accepted\r\nMS-ServerId: x\r\nRetry-After: 7\r\n" + flood, end)
    assert isinstance(accepted, Response)
    assert (accepted.status, accepted.headers["retry-after"]) == (202, "7")
    of_other = await answered_with(b"202 Accepted\r\n" + flood, end)
    assert isinstance(of_other, NoResponse)
    assert (of_other.sent, of_other.code) == (True, "connection-lost")


async def test_a_flood_behind_the_id_of_another_call_is_no_answer() -> None:
    head = f"202 Accepted\r\nMS-CorrelationId: {guid(9)}\r\nSet-Cookie: ".encode()
    another = build_request(
        Operation.REACTIVATE_ENTITLEMENT, target(scenario_id(1)), request_id=guid(8), correlation_id=guid(9)
    )
    async with listening(reply_with(b"HTTP/1.1 " + head + b"c" * 400_000 + b"\r\n\r\n")) as base_url:
        answered, lost = await send(base_url, another, request())
    assert isinstance(answered, Response)
    assert isinstance(lost, NoResponse)


async def test_no_cookie_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    cookie = b"HTTP/1.1 202 Accepted\r\nSet-Cookie: canary cookie=1\r\nContent-Length: 0\r\n\r\n"
    async with listening(reply_with(cookie)) as base_url:
        # Cookies of an address are never read.
        await send(base_url.replace("127.0.0.1", "localhost"), request())
    assert "canary" not in caplog.text + "".join(capfd.readouterr())


async def test_nothing_of_a_header_that_cannot_be_read_is_quoted() -> None:
    too_long = b"HTTP/1.1 202 Accepted\r\nSet-Cookie: canary-cookie=" + b"c" * 400_000 + b"\r\n\r\n"
    no_header, no_http = b"HTTP/1.1 202 Accepted\r\ncanary-cookie\r\n\r\n", b"canary-cookie: 1\r\n\r\n"
    for reply_bytes in (too_long, no_header, no_http):
        async with listening(reply_with(reply_bytes)) as base_url:
            (reply,) = await send(base_url, request())
        assert isinstance(reply, NoResponse)
        assert (reply.sent, reply.code) == (True, "connection-lost")
        assert "canary" not in reply.description


OWN = b"MS-CV: x\r\n"
UNDECODABLE_BODIES = [
    b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
    b"Content-Encoding: zstd\r\nContent-Length: 3\r\n\r\nabc",
    b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
]
BROKEN_OFF_BODIES = [b"Transfer-Encoding: chunked\r\n\r\n64\r\nabc", b"Content-Length: 100\r\n\r\nabc"]


@pytest.mark.parametrize("body", [*UNDECODABLE_BODIES, *BROKEN_OFF_BODIES])
async def test_a_body_that_cannot_be_read_hides_no_status(body: bytes) -> None:
    accepted = await answered_with(b"202 Accepted\r\n" + OWN, body)
    assert isinstance(accepted, Response)
    assert (accepted.status, accepted.body) == (202, b"")
    unavailable = await answered_with(b"503 No\r\nRetry-After: 7\r\n", body)
    assert isinstance(unavailable, Response)
    assert (unavailable.status, unavailable.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("body", UNDECODABLE_BODIES)
@pytest.mark.parametrize(("head", "code"), [(b"202 Accepted", "unreadable-answer"), (b"403 No", "gateway-403")])
async def test_a_body_of_others_that_cannot_be_decoded_is_no_answer(body: bytes, head: bytes, code: str) -> None:
    reply = await answered_with(head + b"\r\n", body)
    verdict = judge(Operation.REACTIVATE_ENTITLEMENT, reply, now=datetime.now(UTC))
    assert isinstance(verdict, Transient)
    assert (verdict.answer.code, verdict.answer.business) == (code, False)


@pytest.mark.parametrize("body", BROKEN_OFF_BODIES)
async def test_a_body_of_others_that_breaks_off_is_a_lost_answer(body: bytes) -> None:
    reply = await answered_with(b"202 Accepted\r\n", body)
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code) == (True, "connection-lost")


@pytest.mark.parametrize(("name", "window_bits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
async def test_a_compressed_body_is_read(name: str, window_bits: int) -> None:
    compressor = zlib.compressobj(wbits=window_bits)
    body = compressor.compress(b'{"code": 900337}') + compressor.flush()
    head = f"HTTP/1.1 400 No\r\nContent-Encoding: {name}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with listening(reply_with(head + body)) as base_url:
        (reply,) = await send(base_url, request())
    assert isinstance(reply, Response)
    assert reply.body == b'{"code": 900337}'
