"""Sign-ins of users: made, stored, shared by processes, replaced and removed."""

import json
import signal
import subprocess
import sys
import threading

import pytest
from yarl import URL

from bulkreact.simulator.identity.aadsts_errors import Fault
from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.program import Program, file_size_limit
from tests.support.run_commands import FAST, latest_run, row_statuses, wait_until
from tests.support.signed_in import APP, OTHER_TENANT, ROTATED_ONCE, USER, calls, run, secret_app, sign_in
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority


def test_a_user_signs_in_with_a_code_and_runs_use_the_sign_in(program: Program, authority: Authority) -> None:
    process = program.start("login")
    wait_until(lambda: bool(authority.directory.user_codes))
    (code,) = authority.directory.user_codes
    authority.directory.approve(code)
    login = program.wait(process)
    assert login.code == 0, login.err
    assert code in login.err
    assert "Signed in as ann@fabrikam.example" in login.err
    # Neither the sign-in nor where it was made has to be named again.
    for name in ("BULKREACT_TENANT_ID", "BULKREACT_CLIENT_ID", "BULKREACT_AUTHORITY"):
        program.environment[name] = ""
    ran = run(program)
    assert ran.code == 0, ran.err
    assert program("logout").code == 0
    again = run(program, "--new", *USER)
    assert again.code == 2
    assert "bulkreact login" in again.err


def test_a_declined_code_signs_no_user_in(program: Program, authority: Authority) -> None:
    process = program.start("login")
    wait_until(lambda: bool(authority.directory.user_codes))
    authority.directory.decline(authority.directory.user_codes[0])
    login = program.wait(process)
    assert login.code == 3
    assert "declined" in login.err
    assert run(program, *USER).code == 2


def test_waiting_for_the_code_can_be_interrupted(program: Program, authority: Authority) -> None:
    process = program.start("login")
    wait_until(lambda: bool(authority.directory.user_codes))
    process.send_signal(signal.SIGINT)
    login = program.wait(process)
    assert login.code == 130
    assert "Traceback" not in login.err


def test_a_user_signs_in_through_the_browser(program: Program, authority: Authority) -> None:
    (program.folder / "browser").write_text("#!/bin/sh\nexit 0\n")
    (program.folder / "browser").chmod(0o755)
    program.environment["BROWSER"] = str(program.folder / "browser")
    process = program.start("login", "--browser")
    assert process.stderr
    url = next(word for line in process.stderr for word in line.split() if word.startswith(authority.base_url))
    threading.Thread(target=authority.browse, args=(url,)).start()
    login = program.wait(process)
    assert login.code == 0, login.err
    assert run(program, *USER).code == 0


def test_a_refresh_token_is_taken_over_from_standard_input(program: Program, authority: Authority) -> None:
    token = authority.directory.issue_refresh_token(CLIENT, TENANT, public=True)
    file = program.folder / "token.txt"
    file.write_text(token + "\n")
    with file.open() as stdin:
        process = program.start("login", "--refresh-token-stdin", stdin=stdin)
        login = program.wait(process)
    assert login.code == 0, login.err
    assert run(program, *USER).code == 0
    assert authority.outcomes == [ROTATED_ONCE]


def test_a_confidential_app_proves_itself_with_every_renewal(program: Program, authority: Authority) -> None:
    authority.directory.register(secret_app())
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    assert sign_in(program, authority).code == 0
    authority.directory.revoke_access_tokens()
    assert run(program, *USER).code == 0
    assert [request.credential for request in authority.directory.requests] == ["secret", "secret"]
    program.environment["BULKREACT_CLIENT_SECRET"] = ""
    process = run(program, *USER, "--new")
    assert process.code == 3
    assert "BULKREACT_CLIENT_SECRET" in process.err


def test_the_sign_in_is_readable_by_its_owner_alone_and_that_is_said(program: Program, authority: Authority) -> None:
    login = sign_in(program, authority, "--store", "file")
    folder = program.folder / "state" / "sign-ins"
    assert "unencrypted" in login.err
    assert "readable by you alone" in login.err
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(folder.glob("*.partial"))


def test_a_refresh_token_that_cannot_be_stored_is_not_used_up(program: Program, authority: Authority) -> None:
    (program.folder / "state").write_text("in the way")
    login = sign_in(program, authority)
    assert login.code == 2
    assert "BULKREACT_STATE_DIR" in login.err
    assert authority.directory.requests == []


@pytest.mark.parametrize(
    "number", [65001, 700082, 70008, 70043, 50173, 70000, 50076, 50079, 50078, 50074, 53003, 50057]
)
def test_a_refused_sign_in_is_explained(program: Program, authority: Authority, number: int) -> None:
    program.environment["BULKREACT_CLIENT_ID"] = f"c11e4700-0000-4000-8000-{number:012d}"
    login = sign_in(program, authority)
    assert login.code == 3
    assert f"AADSTS{number}" in login.err
    assert not list((program.folder / "state").glob("sign-ins/*.json"))


def test_a_sign_in_that_was_revoked_asks_for_another(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    authority.directory.token_lifetime = 1
    authority.directory.revoke_all()
    authority.directory.revoke_access_tokens()
    process = run(program, *USER)
    assert process.code == 3
    assert "bulkreact login" in process.err
    assert sign_in(program, authority).code == 0
    assert program("resume", *FAST, *USER).code == 0
    assert row_statuses(latest_run(program)) == ["accepted"] * 3


def test_several_sign_ins_must_be_distinguished(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    program.environment["BULKREACT_TENANT_ID"] = OTHER_TENANT
    token = authority.directory.issue_refresh_token(CLIENT, OTHER_TENANT, public=True)
    program.environment["BULKREACT_REFRESH_TOKEN"] = token
    assert program("login").code == 0
    program.environment["BULKREACT_TENANT_ID"] = ""
    process = run(program, *USER)
    assert process.code == 2
    assert TENANT in process.err
    assert OTHER_TENANT in process.err
    assert program("logout").code == 2
    assert run(program, *USER, "--tenant-id", OTHER_TENANT).code == 0
    assert program("logout", "--tenant-id", OTHER_TENANT).code == 0
    assert run(program, *USER, "--new").code == 0


@pytest.mark.soak
def test_two_processes_that_renew_at_once_lose_no_refresh_token(program: Program, authority: Authority) -> None:
    authority.directory.token_lifetime = 2
    assert sign_in(program, authority).code == 0
    authority.directory.latency = 0.2
    processes: list[subprocess.Popen[str]] = []
    for name, host in (("a", "localhost"), ("b", "127.0.0.1")):
        write_csv(program.folder / f"{name}.csv", [row(guid(ord(name) * 100 + number)) for number in range(30)])
        # The same partner under another address: otherwise they would exclude each other.
        base_url = str(URL(authority.base_url).with_host(host))
        options = ("--base-url", base_url, "--reports", f"reports-{name}", "--attempts", "1", "--rate", "5/s")
        processes.append(program.start("run", f"{name}.csv", *FAST, *USER, *options))
    ended = [program.wait(process) for process in processes]
    assert not [process.err for process in ended if process.code]
    assert set(authority.outcomes) == {ROTATED_ONCE}
    assert len(authority.outcomes) >= 7
    authority.directory.latency = 0
    assert run(program, *USER).code == 0


def test_one_tenant_has_one_lock_however_it_is_named(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "a.csv", [row(scenario_id(1598))])
    first = program.start("run", "a.csv", *FAST, *APP)
    wait_until(lambda: len(calls(authority)) == 1)
    token = str(
        authority.ask(
            "client_credentials",
            client_id=CLIENT,
            client_secret=SECRET,
            scope="https://api.partnercenter.microsoft.com/.default",
        ).content["access_token"]
    )
    program.environment |= {"BULKREACT_ACCESS_TOKEN": token, "BULKREACT_TENANT_ID": ""}
    second = run(program)
    program.environment["BULKREACT_ACCESS_TOKEN"] = ""
    other = run(program, *APP, "--tenant-id", OTHER_TENANT)
    first.kill()
    program.wait(first)
    assert second.code == 5, second.err
    assert other.code == 0, other.err


def test_the_record_of_a_sign_in_has_no_secret(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    (record,) = (program.folder / "state" / "sign-ins").glob("*.json")
    assert set(json.loads(record.read_text())) == {
        "user", "cloud", "authority", "tenant_id", "tid", "client_id", "scope", "signed_in_at", "confidential", "store",
    }  # fmt: skip


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"RefreshToken": []}', "\x00", '{"RefreshToken": {"a": 1}}', "{}"]
)
def test_a_damaged_sign_in_asks_for_another_and_is_no_crash(
    program: Program, authority: Authority, content: str
) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (cache,) = (program.folder / "state" / "sign-ins").glob("*.cache")
    cache.write_text(content)
    process = run(program, *USER)
    assert process.code == 3
    assert "bulkreact login" in process.err
    assert "Traceback" not in process.err
    assert program("doctor").code == 3
    assert sign_in(program, authority).code == 0
    assert run(program, *USER).code == 0
    cache.with_suffix(".json").write_text(content)
    assert run(program, *USER, "--new").code == 2


@pytest.mark.soak
def test_transient_failures_while_waiting_for_the_code_do_not_end_the_sign_in(
    program: Program, authority: Authority
) -> None:
    process = program.start("login")
    wait_until(lambda: bool(authority.directory.user_codes))
    (code,) = authority.directory.user_codes
    authority.directory.faults = [Fault(503), Fault(500, html=True)]
    wait_until(lambda: not authority.directory.faults)
    authority.directory.approve(code)
    login = program.wait(process)
    assert login.code == 0, login.err
    assert login.err.count(code) == 1


def test_a_code_that_is_not_entered_expires(program: Program, authority: Authority) -> None:
    authority.directory.device_lifetime = 2
    login = program("login")
    assert login.code == 3
    assert "expired" in login.err
    assert "bulkreact login" in login.err


DOMAINS = {"fabrikam.example": TENANT, "contoso.example": OTHER_TENANT}


def test_a_sign_in_by_domain_is_one_for_the_tenant_behind_it(program: Program, authority: Authority) -> None:
    authority.directory.domains = DOMAINS
    program.environment["BULKREACT_TENANT_ID"] = "fabrikam.example"
    assert sign_in(program, authority, "--store", "file").code == 0
    program.environment["BULKREACT_TENANT_ID"] = TENANT
    first = run(program, *USER, "--limit", "1")
    assert first.code == 0, first.err
    assert first.summary["target"]["tenant_id"] == TENANT  # type: ignore[index]
    # For all others it is none.
    for other in ("contoso.example", OTHER_TENANT):
        assert run(program, *USER, "--new", "--tenant-id", other).code == 2
    assert len(calls(authority)) == 1


def test_a_run_is_never_continued_with_the_token_of_another_tenant(program: Program, authority: Authority) -> None:
    authority.directory.domains = DOMAINS
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    assert run(program, *APP, "--limit", "1").code == 0
    process = program("resume", *FAST, *APP, "--tenant-id", "contoso.example")
    assert process.code == 3
    assert TENANT in process.err
    assert OTHER_TENANT in process.err
    assert len(calls(authority)) == 1
    assert program("resume", *FAST, *APP, "--tenant-id", "fabrikam.example").code == 0
    assert len(calls(authority)) == 3


def test_what_a_killed_process_left_is_cleared_away(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    folder = program.folder / "state" / "sign-ins"
    (cache,) = folder.glob("*.cache")
    draft = cache.with_name(f"{cache.name}.1.partial")
    draft.write_text("half a refresh token")
    assert run(program, *USER).code == 0
    assert not draft.exists()


def test_logging_out_leaves_no_token_behind(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    folder = program.folder / "state" / "sign-ins"
    assert program("logout").code == 0
    assert {path.suffix for path in folder.iterdir()} <= {".lock"}
    again = program("logout")
    assert again.code == 0
    assert "nothing to remove" in again.err


@pytest.mark.parametrize("damage", ["torn", "gone"])
def test_logging_out_removes_what_is_left_of_a_damaged_sign_in(
    program: Program, authority: Authority, damage: str
) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    folder = program.folder / "state" / "sign-ins"
    (record,) = folder.glob("*.json")
    record.write_text('{"user": ')
    if damage == "gone":
        record.unlink()
    logout = program("logout")
    assert logout.code == 0
    assert str(record.with_suffix(".cache")) in logout.err
    assert {path.suffix for path in folder.iterdir()} <= {".lock"}


def test_stopping_does_not_wait_for_a_token_service_that_hangs(program: Program, authority: Authority) -> None:
    authority.directory.token_lifetime = 2
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(60)])
    process = program.start("run", "input.csv", *FAST, *APP, "--rate", "10/s")
    wait_until(lambda: len(calls(authority)) >= 2)
    authority.directory.latency = 15
    begun = len(authority.directory.requests)
    wait_until(lambda: len(authority.directory.requests) > begun)
    process.send_signal(signal.SIGINT)
    ended = program.wait(process)
    assert ended.code == 130
    # The token service has not answered yet; and what had not been sent is not said to be lost.
    assert authority.directory.requests[-1].outcome == ""
    assert set(row_statuses(ended.run)) == {"accepted", "not_attempted"}
    assert row_statuses(ended.run).count("accepted") == len(calls(authority))
    authority.directory.latency, authority.directory.token_lifetime = 0, 3600
    assert program("resume", *FAST, *APP).code == 0
    assert row_statuses(latest_run(program)) == ["accepted"] * 60
    assert len(authority.service.call_log.effects) == 60


def test_a_signal_before_the_first_token_ends_the_program_at_once(program: Program, authority: Authority) -> None:
    authority.directory.latency = 15
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    write_csv(program.folder / "input.csv", [row(guid(1))])
    process = program.start("run", "input.csv", *FAST, *APP)
    wait_until(lambda: bool(authority.directory.requests))
    process.send_signal(signal.SIGTERM)
    ended = program.wait(process)
    assert ended.code == 143
    assert authority.directory.requests[-1].outcome == ""
    assert not list(ended.reports.glob("*"))


def test_an_unusable_sign_in_does_not_replace_a_usable_one(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    authority.directory.mfa = False
    refused = sign_in(program, authority)
    assert refused.code == 3
    assert "was not saved" in refused.err
    assert "without multi-factor authentication" in refused.err
    assert run(program, *USER).code == 0


def test_a_refresh_token_is_taken_over_although_the_token_service_fails_at_first(
    program: Program, authority: Authority
) -> None:
    authority.directory.faults = [Fault(503), Fault(500, html=True)]
    assert sign_in(program, authority).code == 0
    assert run(program, *USER).code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize("command", [("doctor", "--json"), ("login", "--store", "file")])
def test_a_refresh_token_that_could_not_be_replaced_is_not_used_up(
    program: Program, authority: Authority, command: tuple[str, ...]
) -> None:
    authority.directory.token_lifetime = 2
    assert sign_in(program, authority, "--store", "file").code == 0
    before = len(authority.directory.requests)
    if command[0] == "login":
        token = authority.directory.issue_refresh_token(CLIENT, TENANT, public=True)
        program.environment["BULKREACT_REFRESH_TOKEN"] = token
    with file_size_limit(2000):
        process = program(*command)
    assert process.code in {2, 3}
    assert "File too large" in process.out + process.err
    assert "Traceback" not in process.err
    assert len(authority.directory.requests) == before
    assert run(program, *USER).code == 0


def test_tokens_that_a_killed_process_had_stored_whole_are_taken(program: Program, authority: Authority) -> None:
    authority.directory.token_lifetime = 2
    assert sign_in(program, authority, "--store", "file").code == 0
    (cache,) = (program.folder / "state" / "sign-ins").glob("*.cache")
    before = cache.read_text()
    assert run(program, *USER).code == 0
    # As if it had been killed between writing and renaming: the service takes only what is in the draft.
    cache.replace(cache.with_name(f"{cache.name}.1.partial"))
    cache.write_text(before)
    assert run(program, *USER, "--new").code == 0
    assert {path.suffix for path in cache.parent.iterdir()} == {".cache", ".json", ".lock"}


@pytest.mark.parametrize(
    ("entry", "name", "value"),
    [
        ("AccessToken", "expires_on", "soon"),
        ("AccessToken", "secret", 7),
        ("RefreshToken", "secret", []),
        ("Account", "home_account_id", {}),
    ],
)
def test_damage_within_the_tokens_is_not_blamed_on_the_network(
    program: Program, authority: Authority, entry: str, name: str, value: object
) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (cache,) = (program.folder / "state" / "sign-ins").glob("*.cache")
    content = json.loads(cache.read_text())
    for token in content[entry].values():
        token[name] = value
    cache.write_text(json.dumps(content))
    process = run(program, *USER)
    assert process.code == 3
    assert "cannot be read" in process.err
    assert "bulkreact login" in process.err


@pytest.mark.parametrize("name", ["tenant_id", "tid", "client_id", "scope", "user", "store"])
def test_a_record_of_other_types_is_no_crash(program: Program, authority: Authority, name: str) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (record,) = (program.folder / "state" / "sign-ins").glob("*.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), name: []}))
    for command in (("doctor", *USER), ("logout",)):
        process = program(*command)
        assert process.code in {0, 3}
        assert "Traceback" not in process.err
    assert {path.suffix for path in record.parent.iterdir()} == {".lock"}


def test_a_sign_in_that_cannot_be_removed_is_reported(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    (cache,) = (program.folder / "state" / "sign-ins").glob("*.cache")
    cache.unlink()
    # Unlinking this fails for every user.
    cache.mkdir()
    process = program("logout")
    assert process.code == 2
    assert str(cache) in process.err
    assert "Traceback" not in process.err


def start_without_a_token(program: Program, authority: Authority, *options: str) -> None:
    """Begin a run for a tenant by its domain while the token service is down."""
    authority.directory.domains = DOMAINS
    authority.directory.faults = [Fault(503, retry_after="999")]
    program.environment |= {"BULKREACT_CLIENT_SECRET": SECRET, "BULKREACT_TENANT_ID": "fabrikam.example"}
    began = run(program, *APP, *options)
    assert began.code == 3
    assert began.summary["target"]["tenant_id"] == "fabrikam.example"  # type: ignore[index]


@pytest.mark.parametrize("other", ["contoso.example", OTHER_TENANT])
def test_a_run_that_knows_its_tenant_by_name_alone_is_not_continued_for_another(
    program: Program, authority: Authority, other: str
) -> None:
    start_without_a_token(program, authority)
    resumed = program("resume", *FAST, *APP, "--tenant-id", other)
    assert resumed.code == 2
    assert "fabrikam.example" in resumed.err
    assert calls(authority) == []
    anew = run(program, *APP, "--tenant-id", other)
    assert anew.code == 0
    assert "Continuing" not in anew.err
    again = run(program, *APP)
    assert again.code == 0
    assert "Continuing" in again.err
    assert len(list(again.reports.glob("*/journal.sqlite3"))) == 2


def test_a_ready_token_must_be_said_to_be_of_a_tenant_that_is_known_by_name_alone(
    program: Program, authority: Authority
) -> None:
    start_without_a_token(program, authority)
    scope = "https://api.partnercenter.microsoft.com/.default"
    answer = authority.ask("client_credentials", client_id=CLIENT, client_secret=SECRET, scope=scope)
    program.environment |= {
        "BULKREACT_ACCESS_TOKEN": str(answer.content["access_token"]),
        "BULKREACT_TENANT_ID": "",
    }
    refused = program("resume", *FAST)
    assert refused.code == 2
    assert "--tenant-id fabrikam.example" in refused.err
    assert program("resume", *FAST, "--tenant-id", "fabrikam.example").code == 0
    assert len(calls(authority)) == 3


def test_while_there_is_no_token_the_same_run_is_meant(program: Program, authority: Authority) -> None:
    authority.directory.domains = DOMAINS
    program.environment |= {"BULKREACT_CLIENT_SECRET": SECRET, "BULKREACT_TENANT_ID": "fabrikam.example"}
    write_csv(program.folder / "input.csv", [row(scenario_id(1401)), row(guid(1))])
    assert program("run", "input.csv", *FAST, *APP, "--concurrency", "1").code == 3
    authority.directory.faults = [Fault(503, retry_after="999")]
    again = program("run", "input.csv", *FAST, *APP)
    assert again.code == 3
    assert "Continuing" in again.err


@pytest.mark.soak
def test_a_run_that_ends_while_its_token_is_renewed_loses_no_refresh_token(
    program: Program, authority: Authority
) -> None:
    authority.directory.token_lifetime = 8
    assert sign_in(program, authority, "--store", "file").code == 0
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(30)])
    process = program.start("run", "input.csv", *FAST, *USER, "--rate", "6/s")
    wait_until(lambda: len(calls(authority)) >= 2)
    # Started after four seconds, answered after the last row.
    authority.directory.latency = 6
    ended = program.wait(process)
    assert ended.code == 0, ended.err
    assert len(authority.directory.requests) >= 3
    authority.directory.latency = 0
    assert run(program, *USER, "--new").code == 0
    assert set(authority.outcomes) == {ROTATED_ONCE}


def test_a_run_learns_its_tenant_and_keeps_to_it(program: Program, authority: Authority) -> None:
    program.environment |= {"BULKREACT_TENANT_ID": "", "BULKREACT_ACCESS_TOKEN": "opaque"}
    assert run(program).code == 3
    scope = "https://api.partnercenter.microsoft.com/.default"
    tokens = {
        tenant: str(
            authority.ask(
                "client_credentials", tenant=tenant, client_id=CLIENT, client_secret=SECRET, scope=scope
            ).content["access_token"]
        )
        for tenant in (TENANT, OTHER_TENANT)
    }
    program.environment["BULKREACT_ACCESS_TOKEN"] = tokens[TENANT]
    first = run(program)
    assert first.code == 0
    assert first.summary["target"]["tenant_id"] == TENANT  # type: ignore[index]
    program.environment["BULKREACT_ACCESS_TOKEN"] = tokens[OTHER_TENANT]
    refused = program("verify", first.run.name, *FAST)
    assert refused.code == 2
    assert TENANT in refused.err


def test_a_new_run_says_that_another_tenants_is_unfinished(program: Program, authority: Authority) -> None:
    start_without_a_token(program, authority)
    anew = run(program, *APP, "--tenant-id", "contoso.example")
    assert "is for the tenant fabrikam.example: this is a new run" in anew.err


def test_logging_out_elsewhere_names_the_sign_ins_that_there_are(program: Program, authority: Authority) -> None:
    assert sign_in(program, authority).code == 0
    for options in (("--cloud", "usgov"), ("--tenant-id", OTHER_TENANT)):
        refused = program("logout", *options)
        assert refused.code == 2
        assert TENANT in refused.err
    assert run(program, *USER).code == 0


def test_the_state_folder_may_be_named_as_a_shell_would_read_it(program: Program, authority: Authority) -> None:
    program.environment |= {"HOME": str(program.folder), "BULKREACT_STATE_DIR": "~/kept"}
    assert sign_in(program, authority, "--store", "file").code == 0
    assert list((program.folder / "kept" / "sign-ins").glob("*.cache"))
    assert not (program.folder / "~").exists()
