"""Credentials for real: the program, MSAL and a token service over TLS, from the first token to the last."""

import os
from collections import Counter
from collections.abc import Callable

import pytest

from bulkreact.cli.commands.run import command
from bulkreact.cli.credentials import credential_source
from bulkreact.settings import Cloud
from bulkreact.simulator.identity.aadsts_errors import Fault
from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.program import Program
from tests.support.run_commands import FAST, row_results, row_statuses, wait_until
from tests.support.signed_in import APP, OTHER_TENANT, ROTATED_ONCE, USER, calls, replace_app, run, secret_app, sign_in
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority, key_pair

# The app alone.


def test_a_client_secret_from_the_environment_is_enough(program: Program, authority: Authority) -> None:
    authority.directory.register(secret_app())
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process = run(program)
    assert process.code == 0, process.err
    assert authority.outcomes == [("client_credentials", "issued")]
    assert process.summary["target"]["tenant_id"] == TENANT  # type: ignore[index]
    assert authority.service.call_log.violations == []


def test_a_client_secret_can_be_in_a_file(program: Program, authority: Authority) -> None:
    authority.directory.register(secret_app())
    file = program.folder / "secret.txt"
    file.write_text(f"\ufeff{SECRET}\n")
    assert run(program, *APP, "--client-secret-file", file).code == 0


CERTIFICATES: dict[str, tuple[Callable[[], bytes], str]] = {
    "PEM": (key_pair().pem.encode, ""),
    "encrypted PEM": (
        (key_pair().encrypted_key_pem("pässword") + key_pair().certificate_pem).encode,
        "pässword",
    ),
    "PEM with a chain": ((key_pair("another").certificate_pem + key_pair().pem).encode, ""),
    "PFX": (lambda: key_pair().pfx("pässword"), "pässword"),
    "PFX without a password": (lambda: key_pair().pfx(""), ""),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
@pytest.mark.parametrize("location", ["environment", "file"])
def test_a_certificate_proves_the_app(program: Program, authority: Authority, kind: str, location: str) -> None:
    authority.directory.register(secret_app(secrets={}, certificates=[key_pair().certificate_pem]))
    content, password = CERTIFICATES[kind]
    file, password_file = program.folder / "app.certificate", program.folder / "password.txt"
    file.write_bytes(content())
    password_file.write_text(password)
    options = ("--certificate-password-file", password_file) if location == "file" and password else ()
    program.environment |= {"BULKREACT_CERTIFICATE_PASSWORD": password} if location == "environment" else {}
    process = run(program, *APP, "--certificate-file", file, *options)
    assert process.code == 0, process.err
    assert [request.credential for request in authority.directory.requests] == ["assertion"]


@pytest.mark.parametrize(
    ("content", "password", "message"),
    [
        (lambda: b"", "", "is not a certificate with its private key"),
        (lambda: b"\xff\xfe random", "", "is not a certificate with its private key"),
        (lambda: key_pair().pfx("right"), "wrong", "or its password is wrong"),
        (lambda: key_pair().pfx("right"), "", "BULKREACT_CERTIFICATE_PASSWORD"),
        (lambda: key_pair().encrypted_key_pem("right").encode(), "", "certificate"),
        ((key_pair().encrypted_key_pem("right") + key_pair().certificate_pem).encode, "", "needs a password"),
        (key_pair().pem.encode, "needless", "needs no password"),
        (key_pair().key_pem.encode, "", "certificate"),
        ((key_pair().key_pem + key_pair("another").certificate_pem).encode, "", "belongs to its private key"),
    ],
)
def test_a_certificate_that_is_no_good_is_refused_before_anything_is_asked(
    program: Program, authority: Authority, content: Callable[[], bytes], password: str, message: str
) -> None:
    file = program.folder / "app.certificate"
    file.write_bytes(content())
    program.environment["BULKREACT_CERTIFICATE_PASSWORD"] = password
    process = run(program, *APP, "--certificate-file", file)
    assert process.code == 2
    assert message in process.err
    assert str(file) in process.err
    assert authority.directory.requests == []
    assert not process.reports.exists()


def test_settings_that_are_not_complete_are_named(program: Program, authority: Authority) -> None:
    assert run(program).code == 2
    assert "BULKREACT_CLIENT_SECRET" in run(program, *APP).err
    assert "--auth token needs BULKREACT_ACCESS_TOKEN" in run(program, "--auth", "token").err
    program.environment |= {"BULKREACT_CLIENT_ID": "", "BULKREACT_CLIENT_SECRET": SECRET}
    process = run(program)
    assert process.code == 2
    assert "--client-id" in process.err
    program.environment["BULKREACT_CLIENT_ID"] = CLIENT
    process = run(program, "--client-secret-file", "nowhere")
    assert (process.code, "nowhere cannot be read" in process.err) == (2, True)
    assert authority.directory.requests == []


@pytest.mark.usefixtures("authority")
def test_a_password_that_is_no_text_is_refused(program: Program) -> None:
    (program.folder / "app.pfx").write_bytes(key_pair().pfx("right"))
    program.environment["BULKREACT_CERTIFICATE_PASSWORD"] = os.fsdecode(b"p\xe4ss")
    process = run(program, *APP, "--certificate-file", "app.pfx")
    assert process.code == 2
    assert "is not UTF-8 text" in process.err


def test_two_proofs_at_once_exclude_each_other(program: Program, authority: Authority) -> None:
    process = run(program, *APP, "--client-secret-file", "a", "--certificate-file", "b")
    assert process.code == 2
    assert "exclude each other" in process.err
    assert authority.directory.requests == []


def test_the_command_line_beats_the_environment_for_secrets_too(program: Program, authority: Authority) -> None:
    authority.directory.register(secret_app())
    (program.folder / "secret.txt").write_text(SECRET)
    program.environment["BULKREACT_CLIENT_SECRET"] = "wrong"
    assert run(program, *APP, "--client-secret-file", "secret.txt").code == 0


def test_a_password_from_the_environment_beats_what_the_configuration_file_names(
    program: Program, authority: Authority
) -> None:
    authority.directory.register(secret_app(secrets={}, certificates=[key_pair().certificate_pem]))
    (program.folder / "app.pfx").write_bytes(key_pair().pfx("right"))
    (program.folder / "password.txt").write_text("wrong")
    (program.folder / "bulkreact.toml").write_text(
        'certificate_file = "app.pfx"\ncertificate_password_file = "password.txt"\n'
    )
    assert run(program, *APP).code == 2
    program.environment["BULKREACT_CERTIFICATE_PASSWORD"] = "right"
    assert run(program, *APP).code == 0
    assert run(program, *APP, "--certificate-password-file", "password.txt").code == 2


@pytest.mark.parametrize(
    ("options", "authority_url", "scope"),
    [
        ((), "https://login.microsoftonline.com", "https://api.partnercenter.microsoft.com"),
        (("--cloud", "usgov"), "https://login.microsoftonline.us", "https://api.partnercenter.microsoft.com"),
        (
            ("--cloud", "china"),
            "https://login.partner.microsoftonline.cn",
            "https://partner.partnercenterapi.microsoftonline.cn",
        ),
        (("--authority", "https://login.example"), "https://login.example", "https://api.partnercenter.microsoft.com"),
        (("--cloud", "china", "--scope", "api://x"), "https://login.partner.microsoftonline.cn", "api://x"),
    ],
)
def test_each_cloud_has_its_token_service_and_every_part_can_be_overridden(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], authority_url: str, scope: str
) -> None:
    monkeypatch.setenv("BULKREACT_CLIENT_SECRET", SECRET)
    monkeypatch.delenv("BULKREACT_ACCESS_TOKEN", raising=False)
    named = [*APP, "--tenant-id", TENANT, "--client-id", CLIENT, *options]
    ctx = command.make_context("run", ["input.csv", *named])
    identity = credential_source(ctx, Cloud(ctx.params["cloud"])).identity
    assert identity.authority == f"{authority_url}/{TENANT}"
    assert (identity.scope, identity.resource) == (f"{scope}/.default", scope)


def test_a_ready_token_needs_no_token_service(program: Program, authority: Authority) -> None:
    answer = authority.ask(
        "client_credentials",
        client_id=CLIENT,
        client_secret=SECRET,
        scope="https://api.partnercenter.microsoft.com/.default",
    )
    program.environment["BULKREACT_ACCESS_TOKEN"] = str(answer.content["access_token"])
    process = run(program)
    assert process.code == 0, process.err
    assert len(authority.directory.requests) == 1
    assert process.summary["target"]["tenant_id"] == TENANT  # type: ignore[index]


# What the token service says.


@pytest.mark.parametrize("number", [7000215, 7000222, 700027, 700016, 90002, 900382, 900432, 90038, 500011, 650057])
def test_a_refusal_of_the_app_is_explained_and_leaves_every_row_not_attempted(
    program: Program, authority: Authority, number: int
) -> None:
    program.environment |= {
        "BULKREACT_CLIENT_ID": f"c11e4700-0000-4000-8000-{number:012d}",
        "BULKREACT_CLIENT_SECRET": SECRET,
    }
    process = run(program)
    assert process.code == 3
    assert f"AADSTS{number}" in process.err
    assert set(row_statuses(process.run)) == {"not_attempted"}
    assert process.summary["state"] == "aborted"
    assert f"AADSTS{number}" in str(process.summary["reason"])
    assert len(authority.directory.requests) == 1
    assert calls(authority) == []


def test_a_run_that_got_no_token_is_continued_once_there_is_one(program: Program, authority: Authority) -> None:
    authority.directory.register(secret_app())
    program.environment["BULKREACT_CLIENT_SECRET"] = "wrong"
    assert run(program, *APP).code == 3
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process = run(program, *APP)
    assert process.code == 0, process.err
    assert "Continuing the unfinished run" in process.err
    assert row_statuses(process.run) == ["accepted"] * 3


TRANSIENT = [
    Fault(503),
    Fault(500, html=True),
    Fault(503, "temporarily_unavailable", 90033),
    Fault(429, "temporarily_unavailable", 90055, retry_after="1"),
]


@pytest.mark.soak
def test_transient_failures_of_the_token_service_are_waited_out(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    authority.directory.faults = list(TRANSIENT)
    process = run(program, *APP)
    assert process.code == 0, process.err
    assert len(authority.directory.requests) == 5


def test_a_lasting_failure_ends_the_run_before_the_first_call(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    authority.directory.faults = [Fault(503)] * 99
    process = run(program, *APP)
    assert process.code == 3
    assert "failing or too busy" in process.err
    assert len(authority.directory.requests) == 5
    assert calls(authority) == []


def test_an_unreachable_token_service_is_named(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process = run(program, *APP, "--authority", "https://127.0.0.1:1")
    assert process.code == 3
    assert "127.0.0.1:1" in process.err
    assert "Traceback" not in process.err
    assert calls(authority) == []


def test_a_token_service_with_an_untrusted_certificate_gets_no_secret(program: Program, authority: Authority) -> None:
    program.environment |= {"BULKREACT_CLIENT_SECRET": SECRET, "REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": ""}
    process = run(program, *APP)
    assert process.code == 3
    assert "SSL_CERT_FILE" in process.err
    assert authority.directory.requests == []


def test_certificates_that_are_none_are_refused_at_once(program: Program, authority: Authority) -> None:
    program.environment |= {"BULKREACT_CLIENT_SECRET": SECRET, "REQUESTS_CA_BUNDLE": "nowhere.pem"}
    process = run(program, *APP)
    assert process.code == 2
    assert "nowhere.pem" in process.err
    assert authority.directory.requests == []


# Claims.


def test_a_token_for_another_audience_is_refused_before_the_first_call(program: Program, authority: Authority) -> None:
    authority.directory.audience = "https://graph.microsoft.com"
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process = run(program, *APP)
    assert process.code == 3
    assert "is for https://graph.microsoft.com" in process.err
    assert calls(authority) == []
    assert set(row_statuses(process.run)) == {"not_attempted"}


def test_another_scope_brings_another_audience(program: Program, authority: Authority) -> None:
    authority.directory.resource = "https://other.example"
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process = run(program, *APP, "--scope", "https://other.example/")
    assert process.code == 0, process.err


def test_a_sign_in_without_mfa_is_refused_before_the_first_call(program: Program, authority: Authority) -> None:
    # What lives so short is renewed at once.
    authority.directory.token_lifetime = 2
    assert sign_in(program, authority).code == 0
    authority.directory.mfa = False
    process = run(program, *USER)
    assert process.code == 3
    assert "without multi-factor authentication" in process.err
    assert "ann@fabrikam.example must sign in again" in process.err
    assert calls(authority) == []


def test_a_run_is_not_continued_for_another_tenant(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    first = run(program, *APP, "--limit", "1")
    assert first.code == 0
    sent = len(calls(authority))
    other = program("resume", *FAST, *APP, "--tenant-id", OTHER_TENANT)
    assert other.code == 2
    assert TENANT in other.err
    assert OTHER_TENANT in other.err
    program.environment["BULKREACT_TENANT_ID"] = ""
    assert len(calls(authority)) == sent
    assert program("resume", *FAST, *APP).code == 0


def test_a_token_of_another_tenant_than_the_one_that_is_named_is_refused(
    program: Program, authority: Authority
) -> None:
    scope = "https://api.partnercenter.microsoft.com/.default"
    other = authority.ask(
        "client_credentials", tenant=OTHER_TENANT, client_id=CLIENT, client_secret=SECRET, scope=scope
    )
    program.environment["BULKREACT_ACCESS_TOKEN"] = str(other.content["access_token"])
    refused = run(program)
    assert refused.code == 3
    assert OTHER_TENANT in refused.err
    assert refused.summary["target"]["tenant_id"] == TENANT  # type: ignore[index]
    assert calls(authority) == []
    right = authority.ask("client_credentials", client_id=CLIENT, client_secret=SECRET, scope=scope)
    program.environment["BULKREACT_ACCESS_TOKEN"] = str(right.content["access_token"])
    again = run(program)
    assert again.code == 0
    assert "Continuing" in again.err


@pytest.mark.usefixtures("authority")
def test_another_tenants_run_of_the_same_file_is_another_run(program: Program) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "input.csv", [row(scenario_id(1401))])
    assert program("run", "input.csv", *FAST, *APP).code == 3
    again = program("run", "input.csv", *FAST, *APP, "--tenant-id", OTHER_TENANT)
    assert "Continuing" not in again.err
    assert len(list(again.reports.glob("*/journal.sqlite3"))) == 2


# In mid-run.


@pytest.mark.soak
def test_a_run_is_longer_than_the_lives_of_several_tokens(program: Program, authority: Authority) -> None:
    authority.directory.token_lifetime = 3
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process = run(program, *APP, "--rate", "10/s", rows=80)
    assert process.code == 0, process.err
    # No call had an expired token, and no two fetches overlapped.
    assert Counter(answer for _, answer in calls(authority)) == {"202": 80}
    assert 3 <= len(authority.directory.requests) <= 9


@pytest.mark.soak
def test_a_users_run_is_longer_than_the_lives_of_several_tokens(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    authority.directory.token_lifetime = 3
    authority.directory.revoke_access_tokens()
    process = run(program, *USER, "--rate", "10/s", rows=60)
    assert process.code == 0, process.err
    assert {answer for _, answer in calls(authority)} <= {"202", "401"}
    assert set(authority.outcomes) == {ROTATED_ONCE}
    assert run(program, *USER, "--new").code == 0


def test_tokens_that_are_refused_in_mid_run_are_renewed_once_and_the_calls_repeated_under_their_ids(
    program: Program, authority: Authority
) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(40)])
    process = program.start("run", "input.csv", *FAST, *APP, "--rate", "20/s")
    wait_until(lambda: len(calls(authority)) >= 10)
    authority.directory.revoke_access_tokens()
    ended = program.wait(process)
    assert ended.code == 0, ended.err
    answers: dict[str, list[str]] = {}
    for request_id, answer in calls(authority):
        answers.setdefault(request_id, []).append(answer)
    assert len(answers) == 40
    assert {tuple(sorted(statuses)) for statuses in answers.values()} == {("202",), ("202", "401")}
    assert len(authority.directory.requests) == 2
    assert len(authority.service.call_log.effects) == 40


def test_a_token_that_is_refused_again_after_its_renewal_stops_the_run(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "input.csv", [row(scenario_id(1401)), *(row(guid(number)) for number in range(3))])
    process = program("run", "input.csv", *FAST, *APP, "--concurrency", "1")
    assert process.code == 3
    assert row_results(process)[0][:2] == ("failed", "401")
    assert len(authority.directory.requests) == 2
    ids = [request_id for request_id, answer in calls(authority) if answer == "401"]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_renewal_that_is_refused_in_mid_run_stops_it_and_loses_nothing(
    program: Program, authority: Authority
) -> None:
    authority.directory.register(secret_app())
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(40)])
    process = program.start("run", "input.csv", *FAST, *APP, "--rate", "20/s")
    wait_until(lambda: len(calls(authority)) >= 10)
    replace_app(authority, secret_app(secrets={SECRET: "expired"}))
    authority.directory.revoke_access_tokens()
    ended = program.wait(process)
    assert ended.code == 3
    assert "AADSTS7000222" in ended.err
    assert "Traceback" not in ended.err
    assert set(row_statuses(ended.run)) == {"accepted", "deferred", "not_attempted"}
    replace_app(authority, secret_app())
    assert program("resume", *FAST, *APP).code == 0
    assert len({request_id for request_id, _ in calls(authority)}) == 40
    assert len(authority.service.call_log.effects) == 40


@pytest.mark.soak
def test_a_failing_token_service_does_not_stop_a_run_while_its_token_is_valid(
    program: Program, authority: Authority
) -> None:
    authority.directory.token_lifetime = 20
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(26)])
    process = program.start("run", "input.csv", *FAST, *APP, "--rate", "2/s", "--concurrency", "1")
    wait_until(lambda: len(calls(authority)) >= 1)
    authority.directory.faults = [Fault(503)]
    ended = program.wait(process)
    assert ended.code == 0, ended.err
    assert ("client_credentials", "503") in authority.outcomes
