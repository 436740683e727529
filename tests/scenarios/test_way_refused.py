"""What refuses the way to Partner Center for good is met once, in every command, and told in words."""

import asyncio
import sqlite3
import ssl
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from tests.support.ids import guid, row, write_csv
from tests.support.program import CANARY, Program, ProgramResult
from tests.support.refusing_servers import (
    OLD_SERVER_HELLO,
    PLAIN_HTTP,
    VERSION_ALERT,
    Fault,
    RefusingServer,
    faulty_tls,
    refusing,
)
from tests.support.run_commands import FAST, row_statuses
from tests.support.signed_in import APP
from tests.support.token_authority import CLIENT, SECRET, TENANT

PASSWORD = "hunter2proxy"
ROWS = [row(guid(number), number % 5) for number in range(40)]
APP_CREDENTIALS = {
    "BULKREACT_ACCESS_TOKEN": "",
    "BULKREACT_CLIENT_SECRET": SECRET,
    "BULKREACT_TENANT_ID": TENANT,
    "BULKREACT_CLIENT_ID": CLIENT,
}
EXPECTED = {
    Fault.EXPIRED: "has expired",
    Fault.OTHER_HOST: "was issued for another host",
    Fault.UNKNOWN_AUTHORITY: "is not trusted",
}


@pytest.fixture
def certificates(program: Program) -> trustme.CA:
    """Return the authority that the program trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(program.folder / "authority.pem")
    program.environment |= {
        "REQUESTS_CA_BUNDLE": str(program.folder / "authority.pem"),
        "SSL_CERT_FILE": str(program.folder / "other.pem"),
        "NO_PROXY": "",
    }
    return authority


def run(program: Program, *options: str) -> ProgramResult:
    write_csv(program.folder / "input.csv", ROWS)
    return program("run", "input.csv", *FAST, *options)


def point_to(program: Program, server: RefusingServer) -> None:
    address = f"https://localhost:{server.port}"
    program.environment |= {"BULKREACT_BASE_URL": address, "BULKREACT_AUTHORITY": address}


def use_proxy(program: Program, server: RefusingServer) -> None:
    # Names in lower case count more.
    address = f"http://ann:{PASSWORD}@localhost:{server.port}"
    program.environment |= {
        "HTTPS_PROXY": address,
        "https_proxy": address,
        "NO_PROXY": "",
        "no_proxy": "",
        "BULKREACT_BASE_URL": "https://partner.example",
        "BULKREACT_AUTHORITY": "https://login.example",
    }


def assert_stopped(process: ProgramResult, reason: str) -> None:
    assert process.code == 3, process.err
    assert reason in process.err
    assert set(row_statuses(process.run)) == {"not_attempted"}
    assert process.summary["state"] == "aborted"
    assert "Operation not permitted" not in process.err


@pytest.mark.parametrize("fault", Fault)
def test_a_certificate_that_is_refused_stops_the_run_at_the_first_connection(
    program: Program, loop: asyncio.AbstractEventLoop, certificates: trustme.CA, fault: Fault
) -> None:
    with refusing(loop, tls=faulty_tls(fault, certificates)) as server:
        point_to(program, server)
        process = run(program)
        assert server.connections == 1
    assert_stopped(process, EXPECTED[fault])
    assert server.received == []


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OLD_SERVER_HELLO, "versions of TLS that are too old"),
        (VERSION_ALERT, "versions of TLS that are too old"),
        (PLAIN_HTTP, "does not speak TLS"),
    ],
)
def test_tls_that_cannot_be_agreed_on_stops_the_run_at_the_first_connection(
    program: Program, loop: asyncio.AbstractEventLoop, answer: bytes, reason: str
) -> None:
    with refusing(loop, answer) as server:
        point_to(program, server)
        process = run(program)
        assert server.connections == 1
        examined = program("doctor")
    assert_stopped(process, reason)
    assert examined.code == 3
    # Of the connection, and of the harmless read.
    assert " ".join(examined.out.split()).count(reason) == 2
    assert "Operation not permitted" not in examined.out


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize("answer", [OLD_SERVER_HELLO, PLAIN_HTTP])
def test_the_token_service_is_refused_for_good_as_well(
    program: Program, loop: asyncio.AbstractEventLoop, answer: bytes
) -> None:
    with refusing(loop, answer) as server:
        point_to(program, server)
        program.environment |= APP_CREDENTIALS
        process = run(program, *APP)
        assert server.connections == 1
    assert_stopped(process, "TLS")


def test_the_message_names_the_variable_that_counted_and_doctor_shows_it(
    program: Program, loop: asyncio.AbstractEventLoop, certificates: trustme.CA
) -> None:
    with refusing(loop, tls=faulty_tls(Fault.UNKNOWN_AUTHORITY, certificates)) as server:
        point_to(program, server)
        process = run(program)
        examined = " ".join(program("doctor").out.split())
    assert "authority.pem, which REQUESTS_CA_BUNDLE names" in process.err
    assert "name its authority's certificate in REQUESTS_CA_BUNDLE" in process.err
    assert "which REQUESTS_CA_BUNDLE names; SSL_CERT_FILE is set as well, and does not count" in examined


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("401 Unauthorized", "the proxy wants another user name or password (HTTP 401)"),
        ("403 Filtered", "the proxy does not allow connections to partner.example (HTTP 403)"),
        ("407 Proxy Authentication Required", "the proxy wants another user name or password (HTTP 407)"),
    ],
)
def test_a_proxy_that_refuses_is_asked_once(
    program: Program, loop: asyncio.AbstractEventLoop, status: str, reason: str
) -> None:
    answer = f"HTTP/1.1 {status}\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n".encode()
    with refusing(loop, answer) as proxy:
        use_proxy(program, proxy)
        process = run(program)
        assert len(proxy.received) == proxy.connections == 1
    assert_stopped(process, reason)
    assert PASSWORD not in process.err + process.out
    assert CANARY.encode() not in b"".join(proxy.received)


@pytest.mark.parametrize("command", ["run", "doctor", "discover"])
def test_a_wrong_password_is_tried_once_whatever_asks_for_a_token(
    program: Program, loop: asyncio.AbstractEventLoop, command: str
) -> None:
    with refusing(loop, b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n") as proxy:
        use_proxy(program, proxy)
        program.environment |= APP_CREDENTIALS
        process = run(program, *APP) if command == "run" else program(command, *APP)
        assert len(proxy.received) == 1
    assert process.code == 3
    assert "percent-encoded" in " ".join((process.out + process.err).split())


def test_monitors_are_not_notified_through_a_proxy_that_has_refused_its_password(
    program: Program, loop: asyncio.AbstractEventLoop
) -> None:
    with refusing(loop, b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n") as proxy:
        use_proxy(program, proxy)
        process = run(program, "--notify-url", "https://hook.example/x")
        assert len(proxy.received) == 1
        started = program(
            "resume", "--yes", "--ping", "https://ping.example/y", "--notify-url", "https://hook.example/x"
        )
        assert len(proxy.received) == 2
    assert (process.code, started.code) == (3, 3)
    assert "hook.example could not be notified: the proxy has refused its name and password before" in process.err


def test_a_run_whose_way_was_refused_is_continued_under_the_same_ids(
    program: Program, loop: asyncio.AbstractEventLoop
) -> None:
    with refusing(loop, b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        use_proxy(program, proxy)
        first = run(program)
        second = program("resume", "--yes")
        assert len(proxy.received) == 2
    assert (first.code, second.code) == (3, 3)
    with closing(sqlite3.connect(first.run / "journal.sqlite3")) as journal:
        ids = journal.execute("SELECT request_id FROM calls").fetchall()
    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.parametrize("password", ["a/b", "a#b", "a?b", "12/3"])
def test_a_password_that_is_not_percent_encoded_is_refused_with_how_to_write_it(
    program: Program, password: str
) -> None:
    program.environment |= {
        "https_proxy": f"http://ann:{password}@proxy.example:3128",
        "no_proxy": "",
        "BULKREACT_BASE_URL": "https://partner.example",
    }
    process = run(program)
    assert process.code == 2, process.err
    assert "percent-encoded: @ is %40" in process.err
    assert password not in process.err


def test_certificates_in_der_are_refused_with_how_to_export_them(
    program: Program, certificates: trustme.CA, tmp_path: Path
) -> None:
    der = tmp_path / "company.cer"
    der.write_bytes(ssl.PEM_cert_to_DER_cert(certificates.cert_pem.bytes().decode()))
    program.environment |= {"REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": str(der)}
    program.environment["BULKREACT_BASE_URL"] = "https://partner.example"
    process = run(program)
    assert process.code == 2
    assert "company.cer, which SSL_CERT_FILE names, is a binary file (DER)" in process.err
    assert f"openssl x509 -inform der -in {der} -out {der.with_suffix('.pem')}" in process.err
