"""``bulkreact serve`` refuses what it cannot serve, prints its link first, and ends quietly."""

import signal
import socket

import pytest

from bulkreact.system_lock import system_lock
from tests.support.program import Program
from tests.support.signed_in import secret_app
from tests.support.systemd_units import read_units, started_by
from tests.support.team_settings import write_settings
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority, key_pair
from tests.support.web_server import read_link, start_server

ENTRA = ("--web-client-id", CLIENT, "--web-tenant-id", TENANT)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--approval-from", "1"], "--approval-from"),
        (["--sign-in", "practice", "--approval-from", "0"], "never"),
        (["--host", "0.0.0.0"], "loopback"),  # noqa: S104 - refused
        (["--time-zone", "Mars/Olympus"], "Mars/Olympus"),
        (["--max-upload", "lots"], "size"),
        (["--public-url", "http://bulkreact.example.com"], "not encrypted"),
        (["--session", "0s"], "at least 1s"),
        (["--sign-in", "entra"], "--web-tenant-id"),
        (["--sign-in", "entra", *ENTRA[:3], "contoso.example"], "GUID"),
        (["--sign-in", "entra", *ENTRA], "BULKREACT_WEB_CLIENT_SECRET"),
        (["--sign-in", "entra", *ENTRA, "--web-client-secret-file", "a", "--web-certificate-file", "b"], "one of"),
        (["--sign-in", "entra", *ENTRA, "--web-client-secret-file", "file"], "empty"),
        (["--sign-in", "entra", *ENTRA, "--host", "0.0.0.0"], "--public-url"),  # noqa: S104 - refused
        (["--sign-in", "practice", "--host", "10.0.0.1"], "loopback"),
        (["--trusted-proxy", "proxy.example"], "address"),
        (["--reports", "file"], "--reports"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_what_cannot_be_served_is_refused(program: Program, arguments: list[str], reason: str) -> None:
    (program.folder / "file").write_text("")
    refused = program("serve", "--simulate", "--port", "0", *arguments)
    assert (refused.code, reason in refused.err, refused.out) == (2, True, "")


def test_a_port_in_use_is_refused(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = program("serve", "--simulate", "--port", str(taken.getsockname()[1]))
    assert (refused.code, "--port" in refused.err) == (2, True)


def test_nobody_practises_on_the_real_thing(program: Program) -> None:
    refused = program("serve", "--sign-in", "practice", "--port=0", "--base-url=http://127.0.0.1:9", "--check")
    assert (refused.code, "--simulate" in refused.err, refused.out) == (2, True, "")


def test_one_server_has_a_data_folder(program: Program) -> None:
    folder = program.folder / "reports/serve"
    folder.mkdir(parents=True)
    with system_lock(folder / "serve.lock"):
        refused = program("serve", "--simulate", "--port", "0")
    assert (refused.code, "--data" in refused.err) == (5, True)


def test_settings_are_proven_without_serving(program: Program) -> None:
    checked = program("serve", "--simulate", "--port", "0", "--check", "--data", "data")
    ended = program("serve", "--end-sessions", "--data", "data")
    audited = program("audit", "--data", "data")
    assert (checked.code, ended.code, "signed out" in ended.err) == (0, 0, True)
    assert (audited.code, "signed-out  everybody" in audited.out) == (0, True)
    assert (program.folder / "data").stat().st_mode & 0o777 == 0o700


def test_the_app_is_proven_with_its_secret_or_certificate(program: Program, authority: Authority) -> None:
    authority.directory.register(secret_app(certificates=[key_pair().certificate_pem]))
    (program.folder / "right").write_text(SECRET)
    (program.folder / "wrong").write_text("another-secret-5c0ffee")
    (program.folder / "app.pem").write_text(key_pair().pem)
    entra = ("serve", "--sign-in", "entra", "--port", "0", "--check", *ENTRA)
    by_secret, by_certificate, refused = (
        program(*entra, *secret)
        for secret in (
            ("--web-client-secret-file", "right"),
            ("--web-certificate-file", "app.pem"),
            ("--web-client-secret-file", "wrong"),
        )
    )
    program.environment["BULKREACT_WEB_CLIENT_SECRET"] = SECRET
    by_variable = program(*entra, "--public-url", "https://page.example/base")
    assert (by_secret.code, by_certificate.code, by_variable.code) == (0, 0, 0), by_secret.err
    assert "https://page.example/base" in by_variable.err
    assert (refused.code, "AADSTS7000215" in refused.err, refused.out) == (3, True, "")
    assert "another-secret" not in refused.err


def test_the_unit_and_the_settings_of_the_chapter_fit_together(program: Program, authority: Authority) -> None:
    write_settings(program, 9443)
    unit = read_units("team-server")["bulkreact-serve.service"]
    checked = program(*started_by(unit, program.folder), "--port=0", "--check")
    assert (checked.code, "https://127.0.0.1:9443/page." in checked.err) == (0, True), checked.err
    assert authority.outcomes == [("client_credentials", "issued")]
    # Its runs drain with it, and what cannot get better by itself is not tried again.
    assert "KillMode" not in unit
    assert "RestartPreventExitStatus=2 5\n" in unit


def test_the_link_comes_first_and_a_signal_ends_the_server_quietly(program: Program) -> None:
    process = start_server(program, "--simulate")
    link = read_link(process)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)
    log = (program.folder / "server.log").read_text()
    assert link.startswith("http://127.0.0.1:")
    assert "/auth/token?token=" in link
    assert (process.returncode, rest, "Open this link" in log) == (0, "", True)
