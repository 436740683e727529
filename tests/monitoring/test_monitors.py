"""Those who watch from afar: a real promtool, a real receiver of pings and hooks, and none of them changes a run."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bulkreact import __version__
from bulkreact.cli.app import _bulkreact
from bulkreact.models import Status
from bulkreact.monitoring import webhooks
from bulkreact.monitoring.monitors import CommandEnd, Notifier, ReportState
from bulkreact.monitoring.webhooks import Notification, NotifyTargets, teams_card
from bulkreact.partnercenter.auth.msal_client import MsalHttpClient
from bulkreact.partnercenter.error_codes.lookup import find_entries
from bulkreact.redaction import Redactor
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import HEADER, guid, row, scenario_id, write_csv
from tests.support.program import CANARY, Partner, Program
from tests.support.run_commands import FAST, run, wait_until
from tests.support.signed_in import sign_in
from tests.support.token_authority import Authority
from tests.support.webhook_receiver import Receiver, receiving

SAMPLE = re.compile(r"^(\w+)(\{.*\})? (\S+)$", re.MULTILINE)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def read_metrics(path: Path) -> dict[str, float]:
    """Return the figures of a metrics file, by name and labels apart from the folder's."""
    samples = SAMPLE.findall(path.read_text())
    return {
        name + re.sub(r'reports="[^"]*",?', "", labels).rstrip(",").replace(",}", "}"): float(value)
        for name, labels, value in samples
    }


def test_metrics_say_what_the_run_did(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111, 503, 429], "--metrics", "m.prom")
    values = read_metrics(program.folder / "m.prom")
    summary = process.summary
    assert values['bulkreact_last_run_rows{status="accepted"}'] == 3
    assert values['bulkreact_last_run_rows{status="failed"}'] == 1
    assert values["bulkreact_last_run_calls{}"] == summary["calls"]["sent"]  # type: ignore[index]
    assert values["bulkreact_last_run_throttled_calls{}"] == 2
    assert values["bulkreact_last_run_calls_per_second{}"] > 0
    assert values["bulkreact_last_run_duration_seconds{}"] > 0
    assert values['bulkreact_runs{state="finished"}'] == 1
    assert values['bulkreact_last_command_exit_code{command="run"}'] == 1
    assert "bulkreact_last_success_timestamp_seconds{}" not in values
    assert "bulkreact_refresh_token_remaining_seconds{}" not in values


def test_metrics_count_all_runs_of_the_folder(program: Program, partner: Partner) -> None:
    run(program, partner, ["a", 800111])
    run(program, partner, [800111, "b"], "--new")
    run(program, partner, [900329, "d"], "--new", "--concurrency", "1", "--metrics", "m.prom")
    values = read_metrics(program.folder / "m.prom")
    counts = {status: values[f'bulkreact_rows_total{{status="{status}"}}'] for status in Status}
    assert {status: count for status, count in counts.items() if count} == {
        "accepted": 2,
        "failed": 3,
        "not_attempted": 1,
    }
    assert values['bulkreact_runs_total{state="finished"}'] == 2
    assert values['bulkreact_runs_total{state="aborted"}'] == 1
    assert values['bulkreact_runs_total{state="running"}'] == 0
    assert values['bulkreact_last_run_rows{status="accepted"}'] == 0


def test_metrics_do_not_need_the_summaries_of_earlier_runs(program: Program, partner: Partner) -> None:
    (run(program, partner, ["a"]).run / "summary.json").unlink()
    run(program, partner, [800111, "b"], "--new", "--metrics", "m.prom")
    values = read_metrics(program.folder / "m.prom")
    assert values['bulkreact_runs_total{state="finished"}'] == 2
    assert values['bulkreact_rows_total{status="accepted"}'] == 2


def test_the_last_success_is_remembered_through_failures_and_pruning(program: Program, partner: Partner) -> None:
    run(program, partner, ["a"], "--metrics", "m.prom")
    first = read_metrics(program.folder / "m.prom")["bulkreact_last_success_timestamp_seconds{}"]
    shutil.rmtree(program.folder / "reports")
    run(program, partner, [800111], "--metrics", "m.prom")
    values = read_metrics(program.folder / "m.prom")
    assert values["bulkreact_last_success_timestamp_seconds{}"] == first
    assert values["bulkreact_last_run_timestamp_seconds{}"] > first


def test_metrics_include_a_command_that_was_refused(program: Program, partner: Partner) -> None:
    run(program, partner, ["a"], "--metrics", "m.prom")
    assert program("run", "missing.csv", "--yes", "--metrics", "m.prom").code == 2
    values = read_metrics(program.folder / "m.prom")
    assert values['bulkreact_last_command_exit_code{command="run"}'] == 2
    assert values["bulkreact_last_run_exit_code{}"] == 0


def test_metrics_say_how_long_the_refresh_token_has_left(program: Program, authority: Authority) -> None:
    sign_in(program, authority)
    write_csv(program.folder / "input.csv", [row(guid(1))])
    process = program("run", "input.csv", *FAST, "--auth", "user", "--metrics", "m.prom")
    assert process.code == 0, process.err
    left = read_metrics(program.folder / "m.prom")["bulkreact_refresh_token_remaining_seconds{}"]
    assert 89 * 86_400 < left <= 90 * 86_400


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_wrong_with_the_metrics(program: Program, authority: Authority) -> None:
    sign_in(program, authority)
    write_csv(program.folder / "input.csv", [row(guid(1)), row(scenario_id(800111))])
    program("run", "input.csv", *FAST, "--auth", "user", "--metrics", "m.prom")
    checked = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607 - wherever it is installed
        input=(program.folder / "m.prom").read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_metrics_that_cannot_be_written_are_worth_a_warning(program: Program, partner: Partner) -> None:
    # So long that there is no room for the name of its draft.
    process = run(program, partner, ["a"], "-q", "--metrics", "m" * 250)
    assert process.code == 0
    assert "could not be written" in process.err


def test_metrics_without_a_folder_are_worth_a_warning(program: Program, partner: Partner, receiver: Receiver) -> None:
    process = run(program, partner, ["a"], "-q", "--metrics", "missing/m.prom", "--ping", receiver.url)
    assert process.code == 0
    assert "--metrics missing/m.prom could not be written: No such file or directory" in process.err
    assert receiver.paths == ["/start", "/"]
    assert len(partner.requests()) == 1


def test_a_good_run_pings_start_and_success(program: Program, partner: Partner, receiver: Receiver) -> None:
    process = run(program, partner, ["a"], "-q", "--ping", f"{receiver.url}/uuid?rid=1")
    assert (process.code, process.err) == (0, "")
    assert receiver.paths == ["/uuid/start?rid=1", "/uuid?rid=1"]
    assert f"input.csv: finished, accepted 1 (run {process.run.name})" in receiver.body("/uuid?rid=1")


@pytest.mark.parametrize(
    ("tails", "options", "code", "message"),
    [
        (["a", 800111], (), 1, "accepted 1, failed 1"),
        (["a"], ("--plan", "missing.json"), 2, "missing.json cannot be read"),
        ([900329, "a"], ("--concurrency", "1"), 3, "aborted, failed 1"),
        ([800111] * 4, ("--halt-after", "1", "--concurrency", "1"), 4, "halted"),
    ],
)
def test_anything_else_pings_a_failure_with_the_summary_line(
    program: Program,
    partner: Partner,
    receiver: Receiver,
    tails: list[int | str],
    options: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    process = run(program, partner, tails, *options, "--ping", f"{receiver.url}/uuid/")
    assert process.code == code
    assert receiver.paths == ["/uuid/start", "/uuid/fail"]
    assert f"exit code {code}" in receiver.body("/uuid/fail")
    assert message in receiver.body("/uuid/fail")


def test_an_interrupted_run_pings_a_failure(program: Program, partner: Partner, receiver: Receiver) -> None:
    write_csv(program.folder / "input.csv", [row(guid(index), index) for index in range(100)])
    options = ("--base-url", partner.base_url, "--yes", "--rate", "10/s", "--ping", receiver.url)
    process = program.start("run", "input.csv", *options)
    wait_until(lambda: len(partner.requests()) >= 3)
    process.send_signal(signal.SIGTERM)
    assert program.wait(process).code == 143
    assert receiver.paths == ["/start", "/fail"]


def test_a_second_run_against_the_partner_pings_a_failure(
    program: Program, partner: Partner, receiver: Receiver
) -> None:
    write_csv(program.folder / "long.csv", [row(guid(5000 + index), index) for index in range(100)])
    first = program.start("run", "long.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    assert run(program, partner, ["a"], "--ping", receiver.url).code == 5
    first.send_signal(signal.SIGTERM)
    program.wait(first)
    assert f"process {first.pid}" in receiver.body("/fail")


def test_the_summary_is_posted_without_the_ids_of_rows_that_succeeded(
    program: Program, partner: Partner, receiver: Receiver
) -> None:
    process = run(program, partner, ["a", 800111], "--notify-url", f"{receiver.url}/hook", "--ping", receiver.url)
    content = receiver.content("/hook")
    summary = process.summary
    assert {name: content[name] for name in summary} == summary
    rows = content["failed_rows"]
    assert isinstance(rows, list)
    (failed,) = rows
    assert (failed["row"], failed["entitlement_id"], failed["error_code"]) == (3, scenario_id(800111, 1), "800111")
    ids = {call["request_id"] for call in partner.requests() if guid(0) in call["path"]}
    posted = "".join(body for _, body in receiver.posts)
    assert not [secret for secret in (guid(0), CANARY, *ids) if secret in posted]


def test_the_ids_of_all_rows_are_posted_when_asked_for(program: Program, partner: Partner, receiver: Receiver) -> None:
    run(program, partner, ["a", 800111], "--notify-url", receiver.url, "--notify-rows")
    rows = receiver.content("/")["rows"]
    assert isinstance(rows, list)
    assert [(row["row"], row["status"], row["entitlement_id"]) for row in rows] == [
        (2, "accepted", guid(0)),
        (3, "failed", scenario_id(800111, 1)),
    ]


def test_an_invalid_row_is_posted_without_ids(program: Program, partner: Partner, receiver: Receiver) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1)), row("no GUID")])
    hook = ("--notify-url", receiver.url)
    assert program("run", "input.csv", "--base-url", partner.base_url, *FAST, *hook).code == 1
    (line,) = json.loads(receiver.body("/"))["failed_rows"]
    names = ("row", "status", "customer_id", "subscription_id", "entitlement_id", "request_id")
    assert [line[name] for name in names] == [3, "invalid", None, None, None, ""]


def test_a_teams_card_has_the_line_and_the_counts(program: Program, partner: Partner, receiver: Receiver) -> None:
    process = run(program, partner, ["a", 800111], "--notify-url", receiver.url, "--notify-format", "teams")
    content = receiver.content("/")
    attachments = content["attachments"]
    assert isinstance(attachments, list)
    (attachment,) = attachments
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    title, line, facts, run_id, _reason, code = attachment["content"]["body"]
    assert title["text"] == "bulkreact: exit code 1"
    assert process.run.name in line["inlines"][0]["text"]
    assert [run["text"] for run in run_id["inlines"]] == ["run id: ", process.run.name]
    (text,) = (run["text"] for run in code["inlines"])
    assert text.startswith("800111 (1): ")
    assert find_entries("800111")[0].description in text
    assert {"title": "accepted", "value": "1"} in facts["facts"]
    assert guid(0) not in receiver.body("/")


def test_a_card_of_a_refusal_has_its_reason() -> None:
    content = teams_card(
        Notification(2, "bulkreact run: exit code 2", [], {"exit_code": 2, "reason": "x.csv does not exist."})
    )
    assert "x.csv does not exist." in str(content)


def test_nothing_from_outside_is_markdown_in_a_card() -> None:
    link = "[Sign in](https://evil.example)\n# *now* \x1b[2J\u202e"
    content = {
        "exit_code": 1,
        "state": "finished",
        "run_id": f"{link} id",
        "reason": f"{link}.",
        "error_codes": {link: 1},
    }
    card = teams_card(Notification(1, link, [link], content))
    # Only these two kinds of text interpret Markdown.
    blocks = [block for block in card["attachments"][0]["content"]["body"] if block["type"] != "RichTextBlock"]  # type: ignore[index]
    assert [block["type"] for block in blocks] == ["TextBlock", "FactSet"]
    assert "evil" not in str(blocks)
    assert str(card).count("(https://evil.example)\\\\n# *now* \\\\x1b[2J\\\\u202e") == 4


def post_names(program: Program, partner: Partner, receiver: Receiver, names: list[str], *options: str) -> str:
    """Run a refused row of a customer of each name, and one that succeeds; return what was posted."""
    rows = [(*row(scenario_id(800111, number), number), name) for number, name in enumerate(names)]
    write_csv(program.folder / "input.csv", [*rows, (*row(guid(9), 9), "Contoso")], (*HEADER, "Kundenname"))
    hook = ("--notify-url", receiver.url, *options)
    assert program("run", "input.csv", "--base-url", partner.base_url, *FAST, *hook).code == 1
    return receiver.body("/")


def test_failed_rows_are_posted_with_the_names_of_customers(
    program: Program, partner: Partner, receiver: Receiver
) -> None:
    content = json.loads(post_names(program, partner, receiver, ["Kessler", ""]))
    assert [line.get("customer_name") for line in content["failed_rows"]] == ["Kessler", None]


@pytest.mark.parametrize("options", [(), ("--notify-rows",)])
def test_a_card_names_the_customers_with_rows_that_did_not_end_well(
    program: Program, partner: Partner, receiver: Receiver, options: tuple[str, ...]
) -> None:
    names = ["[Evil](https://evil.example)", "Kessler", "Kessler", ""]
    content = json.loads(post_names(program, partner, receiver, names, "--notify-format", "teams", *options))
    last = content["attachments"][0]["content"]["body"][-1]
    assert last["type"] == "RichTextBlock"
    assert [run["text"] for run in last["inlines"]] == ["customers to look at: ", f"Kessler; {names[0]}"]


def test_every_sender_gives_the_name_of_the_program(program: Program, partner: Partner, receiver: Receiver) -> None:
    run(program, partner, ["a"], "--ping", receiver.url, "--notify-url", f"{receiver.url}/hook")
    client = MsalHttpClient(Redactor())
    client.post(f"{receiver.url}/token", data={"grant_type": "client_credentials"})
    client.close()
    assert len(receiver.posts) == 4
    assert receiver.agents == {f"bulkreact/{__version__}"}


def test_a_sweep_names_ten_files_and_then_a_count() -> None:
    sentences = [f"{number}.csv: exit code 2" for number in range(57)]
    notification = Notification(2, "bulkreact sweep: exit code 2", sentences, {"exit_code": 2})
    assert notification.line.split("; ")[1:] == [*sentences[:10], "and 47 more files"]
    card = str(teams_card(notification))
    assert [number for number in range(57) if f"'{number}.csv: " in card] == list(range(10))
    assert "and 47 more files" in card


def test_a_card_of_a_sweep_adds_the_rows_and_codes_of_its_runs() -> None:
    runs = [{"counts": {"accepted": 2, "failed": 1}, "error_codes": {code: 1}} for code in ("800111", "weird\n*x*")]
    body = str(teams_card(Notification(1, "", [], {"exit_code": 1, "runs": [*runs, *runs]})))
    assert "{'title': 'accepted', 'value': '8'}" in body
    assert f"800111 (2): {find_entries('800111')[0].description}" in body
    assert "weird\\\\n*x* (2): not in the catalogue" in body


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_notification_that_fails_changes_nothing_but_adds_a_warning(
    program: Program, partner: Partner, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    receiver.location = f"{receiver.url}/elsewhere" if status == 302 else ""
    secret = "path-that-is-a-secret"
    process = run(program, partner, ["a"], "-q", "--ping", f"{receiver.url}/{secret}")
    assert process.code == 0
    assert process.summary["exit_code"] == 0
    assert f"127.0.0.1 could not be notified: it answered HTTP {status}" in process.err
    assert "/elsewhere" not in receiver.paths
    assert secret not in process.err


def test_a_webhook_that_cannot_be_reached_is_worth_a_warning(program: Program, partner: Partner) -> None:
    process = run(program, partner, [800111], "--notify-url", "http://127.0.0.1:9/x", "--log-format", "json", "-q")
    assert process.code == 1
    assert '"event": "warning"' in process.err


@pytest.mark.parametrize("option", ["--ping", "--notify-url"])
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://hooks.example/secret", "is not encrypted"),
        ("ftp://hooks.example/secret", "it is not a URL"),
        ("https://ann:secret@hooks.example/", "no user, password"),
        ("hooks.example/secret", "it is not a URL"),
    ],
)
def test_a_webhook_that_is_not_safe_is_refused_before_anything_is_sent(
    program: Program, partner: Partner, option: str, url: str, message: str
) -> None:
    process = run(program, partner, ["a"], option, url)
    assert process.code == 2
    assert message in " ".join(process.err.split())
    assert "secret" not in process.err
    assert partner.requests() == []


def test_webhooks_can_come_from_file_and_environment(program: Program, partner: Partner, receiver: Receiver) -> None:
    (program.folder / "bulkreact.toml").write_text(f'notify_url = "{receiver.url}/file"\n')
    program.environment["BULKREACT_RUN_PING"] = f"{receiver.url}/ping"
    assert run(program, partner, ["a"]).code == 0
    assert receiver.paths == ["/ping/start", "/ping", "/file"]


@pytest.mark.parametrize("command", ["resume", pytest.param("retry", marks=pytest.mark.soak), "verify"])
def test_the_commands_that_follow_a_run_notify_as_well(
    program: Program, partner: Partner, receiver: Receiver, command: str
) -> None:
    partner.service.behaviour = Behaviour(activation_delay=0)
    process = run(program, partner, [1599, "a"], "--attempts", "1")
    program(command, process.run.name, *FAST, "--ping", receiver.url, "--metrics", "m.prom", "--max-outage", "0")
    assert receiver.paths[0] == "/start"
    assert len(receiver.paths) == 2
    assert f'command="{command}"' in (program.folder / "m.prom").read_text()


def test_not_even_a_bug_in_a_notification_changes_a_run(
    program: Program,
    partner: Partner,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    monkeypatch.chdir(program.folder)
    monkeypatch.setenv("BULKREACT_ACCESS_TOKEN", CANARY)
    monkeypatch.setenv("BULKREACT_STATE_DIR", str(program.folder / "state"))
    monkeypatch.setattr(webhooks, "notify_end", lambda *_: 1 / 0)
    command = ["run", "input.csv", "--base-url", partner.base_url, *FAST, "-q", "--notify-url", receiver.url]
    assert _bulkreact.main(command, standalone_mode=False) == 0
    assert receiver.paths == []
    assert "could not be notified: ZeroDivisionError in test_monitors.py, line " in capsys.readouterr().err
    assert len(partner.requests()) == 1


@pytest.mark.parametrize(
    ("state", "paths"),
    [
        (ReportState.NEW, ["/fail", "/hook"]),
        (ReportState.UNCHANGED, ["/fail"]),
        (ReportState.ALREADY_REPORTED, []),
    ],
)
def test_what_monitors_know_already_is_not_sent_again(
    receiver: Receiver, tmp_path: Path, state: ReportState, paths: list[str]
) -> None:
    monitors = Notifier(
        command="sweep",
        reports=tmp_path,
        metrics=None,
        targets=NotifyTargets(receiver.url, f"{receiver.url}/hook"),
        all_rows=False,
        simulated=False,
        refresh_token_expiry=lambda: None,
        now=lambda: datetime.now(UTC),
        warn=pytest.fail,
        run_async=asyncio.run,
    )
    monitors.notify_end(CommandEnd(1, report_state=state))
    assert receiver.paths == paths
