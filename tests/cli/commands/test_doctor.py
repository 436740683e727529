"""What doctor finds: everything that keeps a run from working, for people and for programs."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bulkreact.runs.findings import CheckResult, Findings
from bulkreact.simulator.identity.aadsts_errors import Fault
from tests.support.background_loop import listening, serving
from tests.support.ids import row, scenario_id, write_csv
from tests.support.program import CANARY, Partner, Program, ProgramResult
from tests.support.run_commands import FAST, wait_until
from tests.support.signed_in import sign_in
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority, key_pair


def run_doctor(program: Program, *options: str | Path) -> tuple[ProgramResult, dict[str, Any]]:
    """Run doctor --json."""
    process = program("doctor", "--json", *options)
    assert "Traceback" not in process.err
    content: dict[str, Any] = json.loads(process.out)
    assert content["healthy"] is (process.code == 0)
    return process, content


def results(content: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["result"] for check in content["checks"]}


def message_of(content: dict[str, Any], name: str) -> str:
    (check,) = (check for check in content["checks"] if check["name"] == name)
    return f"{check['words']} {check['advice']}"


def test_all_is_well_with_a_user(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    process, content = run_doctor(program)
    assert process.code == 0
    assert set(results(content).values()) == {"ok"}
    assert "ann@fabrikam.example" in message_of(content, "token")
    assert "pwd and mfa" in message_of(content, "token")
    assert content["is_mfa_compliant"] is True
    assert content["refresh_token"]["days_left"] == pytest.approx(90, abs=0.1)
    assert abs(content["clock_skew_seconds"]) < 60
    assert content["settings"]["tenant_id"] == {"value": TENANT, "origin": "BULKREACT_TENANT_ID"}
    assert content["settings"]["auth"] == {"value": "user", "origin": "what is given"}
    (call,) = [call for call in authority.service.call_log.calls if call["method"] == "GET"]
    assert str(call["path"]).endswith("/customers")
    assert authority.service.call_log.violations == []


def test_people_see_the_same_in_a_table(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    process = program("doctor", "--rate", "2/s")
    assert process.code == 0
    assert "A run could work." in process.out
    lines = {line.split()[0]: line.split() for line in process.out.splitlines() if line.strip()}
    assert lines["rate"][1:] == ["2/s", "command", "line"]
    assert lines["tenant_id"][1:] == [TENANT, "BULKREACT_TENANT_ID"]
    assert lines["concurrency"][1:] == ["16", "default"]
    assert lines["clock"][1] == "ok"
    assert max(map(len, process.out.splitlines())) > 80
    program.environment["COLUMNS"] = "80"
    assert max(map(len, program("doctor", "--rate", "2/s").out.splitlines())) <= 80


def test_the_verdict_comes_first_then_what_to_do_then_the_settings(program: Program) -> None:
    program.environment |= {"BULKREACT_ACCESS_TOKEN": "", "BULKREACT_BASE_URL": "http://127.0.0.1:1"}
    lines = program("doctor").out.splitlines()
    assert lines[0] == "A run would not work: credentials, Partner Center."
    titles = ("what to do", "credentials", "Partner Center", "checked", "reports folder", "setting", "cloud")
    positions = [next(number for number, line in enumerate(lines) if line.startswith(title)) for title in titles]
    assert positions == sorted(positions)


def test_what_prevents_a_run_comes_before_what_does_not() -> None:
    findings = Findings()
    for name, result in (("a", CheckResult.WARNING), ("b", CheckResult.OK), ("c", CheckResult.FAILED)):
        findings.add(name, result, "")
    assert [check.name for check in (*findings.to_do, *findings.others)] == ["c", "a", "b"]
    assert findings.verdict == "A run would not work: c."
    del findings.checks[-1]
    assert findings.verdict == "A run could work. Look at: a."


def test_an_apps_own_token_may_be_refused_for_reactivations(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process, content = run_doctor(program)
    assert process.code == 0
    assert results(content)["kind of token"] == "warning"
    assert results(content)["MFA"] == "skipped"
    assert content["is_mfa_compliant"] is None
    assert content["settings"]["BULKREACT_CLIENT_SECRET"] == {"value": "set, not shown", "origin": "environment"}
    assert SECRET not in process.out + process.err
    assert authority.outcomes == [("client_credentials", "issued")]


def test_a_certificate_is_shown_with_the_days_it_has_left(program: Program, authority: Authority) -> None:
    (program.folder / "app.pem").write_text(key_pair().pem)
    _, content = run_doctor(program, "--auth", "app", "--certificate-file", "app.pem")
    assert results(content)["certificate"] == "warning"
    assert "good for another 29 days" in message_of(content, "certificate")
    assert authority.outcomes == [("client_credentials", "issued")]


def test_without_credentials_the_rest_is_examined_all_the_same(program: Program, authority: Authority) -> None:
    process, content = run_doctor(program)
    assert process.code == 3
    assert results(content)["credentials"] == "failed"
    assert results(content)["Partner Center"] == "ok"
    assert "bulkreact login" in message_of(content, "credentials")
    assert authority.service.call_log.calls == []


@pytest.mark.parametrize(
    ("token", "check", "message"),
    [
        ("two words", "credentials", "is not a token"),
        ("eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL2EuZXhhbXBsZSJ9.x", "token", "is for https://a.example"),
        ("eyJhbGciOiJub25lIn0.eyJleHAiOjF9.x", "token", "has expired at 1970-01-01 00:00:01 UTC"),
    ],
)
def test_a_ready_token_that_is_no_good_is_not_tried(
    program: Program, partner: Partner, token: str, check: str, message: str
) -> None:
    program.environment["BULKREACT_ACCESS_TOKEN"] = token
    process, content = run_doctor(program, "--base-url", partner.base_url)
    assert process.code == 3
    assert results(content)[check] == "failed"
    assert message in message_of(content, check)
    assert partner.service.call_log.calls == []
    assert token not in process.out


def test_an_opaque_token_is_proven_by_the_read(program: Program, partner: Partner) -> None:
    process, content = run_doctor(program, "--base-url", partner.base_url)
    assert process.code == 0
    assert results(content)["token"] == "warning"
    assert results(content)["harmless read"] == "ok"
    assert CANARY not in process.out


def test_a_sign_in_without_mfa_is_recognized_by_its_claims(program: Program, authority: Authority) -> None:
    authority.directory.token_lifetime = 2
    assert sign_in(program, authority).code == 0
    authority.directory.mfa = False
    process, content = run_doctor(program)
    assert process.code == 3
    assert "without multi-factor authentication" in message_of(content, "token")
    assert results(content)["sign-in"] == "ok"


@pytest.mark.parametrize(("claim", "result"), [("false", "failed"), ("True", "ok"), ("perhaps", "skipped")])
def test_what_partner_center_says_of_mfa_counts(
    program: Program, loop: asyncio.AbstractEventLoop, claim: str, result: str
) -> None:
    async def customers(request: web.Request) -> web.Response:
        assert request.headers["ValidateMfa"] == "true"
        return web.json_response({"items": []}, headers={"isMfaCompliant": claim})

    app = web.Application()
    app.router.add_get("/v1/customers", customers)
    with serving(loop, listening(app)) as base_url:
        process, content = run_doctor(program, "--base-url", base_url)
    assert results(content)["MFA"] == result
    assert process.code == (3 if result == "failed" else 0)


def test_a_refusal_by_the_token_service_is_described(program: Program, authority: Authority) -> None:
    program.environment |= {"BULKREACT_CLIENT_SECRET": SECRET, "BULKREACT_CLIENT_ID": CLIENT[:24] + "000007000222"}
    process, content = run_doctor(program)
    assert process.code == 3
    assert "the client secret has expired (AADSTS7000222)" in message_of(content, "token")
    assert results(content)["harmless read"] == "skipped"
    assert authority.service.call_log.calls == []


def test_a_sign_in_that_has_not_long_to_live_is_a_warning(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (cache,) = (program.folder / "state" / "sign-ins").glob("*.cache")
    content = json.loads(cache.read_text())
    (token,) = content["RefreshToken"].values()
    token["last_modification_time"] = str(int(token["last_modification_time"]) - 80 * 86_400)
    # It was unused for so long that its access tokens have expired.
    for access in content["AccessToken"].values():
        access.update({name: str(int(access[name]) - 80 * 86_400) for name in ("cached_at", "expires_on")})
    cache.write_text(json.dumps(content))
    _, output = run_doctor(program)
    assert results(output)["sign-in"] == "warning"
    assert output["refresh_token"] == {"age_days": pytest.approx(80, abs=0.1), "days_left": pytest.approx(10, abs=0.1)}
    # Doctor has used it.
    assert len(authority.directory.requests) == 2
    _, again = run_doctor(program)
    assert results(again)["sign-in"] == "ok"


def test_hosts_that_cannot_be_reached_are_distinguished(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    process, content = run_doctor(
        program, "--base-url", "https://127.0.0.1:1", "--authority", "https://no-such-host.invalid"
    )
    assert process.code == 3
    assert "the name no-such-host.invalid is not known" in message_of(content, "token service")
    assert "no connection to 127.0.0.1 on port 1" in message_of(content, "Partner Center")
    program.environment |= {"REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": ""}
    _, content = run_doctor(program)
    assert "is not trusted" in message_of(content, "Partner Center")
    assert authority.directory.requests == []


def test_a_proxy_is_named_without_its_password(program: Program, authority: Authority) -> None:
    program.environment |= {"HTTPS_PROXY": "http://ann:pa55word@127.0.0.1:1", "NO_PROXY": ""}
    process, content = run_doctor(program, "--base-url", "https://partner.example")
    assert "through the proxy 127.0.0.1" in message_of(content, "Partner Center")
    assert "pa55word" not in process.out + process.err
    assert authority.directory.requests == []


@pytest.mark.parametrize("proxy", ["http://[", "ftp://proxy.example", "http://proxy.example:99999", "http://:3128"])
def test_a_proxy_that_cannot_be_used_is_refused_before_anything_is_sent(program: Program, proxy: str) -> None:
    program.environment |= {"HTTPS_PROXY": proxy, "NO_PROXY": ""}
    process, content = run_doctor(program, "--base-url", "https://partner.example")
    assert process.code == 3
    assert "HTTPS_PROXY" in message_of(content, "network")
    write_csv(program.folder / "input.csv", [row(scenario_id(202))])
    assert program("run", "input.csv", "--base-url", "https://partner.example", *FAST).code == 2


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else False, reason="root may write everywhere")
def test_a_folder_without_permission_is_reported(program: Program, partner: Partner) -> None:
    (program.folder / "locked").mkdir(mode=0o500)
    _, content = run_doctor(program, "--base-url", partner.base_url, "--reports", "locked/reports")
    assert results(content)["reports folder"] == "failed"


def test_a_folder_that_cannot_be_written_is_reported(program: Program, partner: Partner) -> None:
    (program.folder / "file").write_text("no folder")
    process, content = run_doctor(program, "--base-url", partner.base_url, "--reports", "file/reports")
    assert process.code == 3
    assert results(content)["reports folder"] == "failed"
    assert not (program.folder / "reports").exists()


def test_no_call_is_made_beside_a_run_that_is_at_work(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(1598))])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST)
    wait_until(lambda: len(partner.requests()) == 1)
    doctor, content = run_doctor(program, "--base-url", partner.base_url)
    process.send_signal(signal.SIGKILL)
    program.wait(process)
    assert doctor.code == 0
    assert results(content)["harmless read"] == "skipped"
    assert f"process {process.pid}" in message_of(content, "harmless read")
    assert len(partner.service.call_log.calls) == 1


def test_it_looks_at_the_settings_of_run(program: Program, partner: Partner) -> None:
    (program.folder / "bulkreact.toml").write_text(f'[run]\nbase_url = "{partner.base_url}"\nrate = "7/s"\n')
    program.environment["BULKREACT_RUN_REPORTS"] = "there"
    process, content = run_doctor(program)
    assert process.code == 0, process.out
    assert content["settings"]["base_url"] == {"value": partner.base_url, "origin": "bulkreact.toml [run]"}
    assert content["settings"]["rate"] == {"value": "7/s", "origin": "bulkreact.toml [run]"}
    assert content["settings"]["reports"] == {"value": "there", "origin": "BULKREACT_RUN_REPORTS"}


def test_a_token_that_was_revoked_is_renewed_as_a_run_would_do(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    authority.directory.revoke_access_tokens()
    process, content = run_doctor(program)
    assert process.code == 0
    assert results(content)["harmless read"] == "ok"
    assert len(authority.directory.requests) == 2


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:30:00 -1200", "soon", ""])
def test_an_odd_date_is_no_crash(program: Program, loop: asyncio.AbstractEventLoop, date: str) -> None:
    async def customers(_request: web.Request) -> web.Response:
        return web.json_response({"items": []}, headers={"Date": date})

    app = web.Application()
    app.router.add_get("/v1/customers", customers)
    with serving(loop, listening(app)) as base_url:
        _, content = run_doctor(program, "--base-url", base_url)
    assert results(content)["clock"] == "skipped"


@pytest.mark.usefixtures("authority")
def test_a_certificate_that_is_not_valid_yet_is_reported(program: Program) -> None:
    (program.folder / "app.pem").write_text(key_pair("early", begins_in_days=1).pem)
    _, content = run_doctor(program, "--auth", "app", "--certificate-file", "app.pem")
    assert results(content)["certificate"] == "warning"
    assert "not good before" in message_of(content, "certificate")


def test_it_can_be_practised(program: Program) -> None:
    process, content = run_doctor(program, "--simulate")
    assert process.code == 0
    assert results(content)["harmless read"] == "ok"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500, html=True, retry_after="999"),
        Fault(200, html=True, retry_after="999"),
        Fault(400, html=True),
        Fault(302),
        pytest.param(Fault(drop=True), marks=pytest.mark.soak),
    ],
)
def test_a_failing_token_service_is_no_crash(program: Program, authority: Authority, fault: Fault) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    authority.directory.faults = [fault] * 99
    process, content = run_doctor(program)
    assert process.code == 3
    assert process.err == ""
    assert results(content)["token"] == "failed"
