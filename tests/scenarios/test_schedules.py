"""The guide's schedules: every line of cron and every unit is used as written."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.inboxes import drop_file, file_names, inbox_folder
from tests.support.program import PROJECT, Partner, Program, ProgramResult
from tests.support.systemd_units import arguments_of, read_units, started_by, verify
from tests.support.token_authority import SECRET, TENANT, Authority
from tests.support.webhook_receiver import Receiver, receiving

GUIDE = (PROJECT / "bulkreact" / "guide" / "unattended.md").read_text()
UNITS = read_units("unattended")
CRONTAB = GUIDE.partition("```crontab\n")[2].partition("```")[0].splitlines()
ACTIVE_AT_ONCE = Behaviour(activation_delay=0)
LOOKS_AT_ONCE = {"BULKREACT_VERIFY_AFTER": "0", "BULKREACT_VERIFY_EVERY": "1"}
LINES = [line.split(maxsplit=5)[5] for line in CRONTAB if not line.startswith("BULKREACT")]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_there_are_schedules_to_be_tested() -> None:
    assert sorted(UNITS) == ["bulkreact-watch.service", "bulkreact.service", "bulkreact.timer"]
    assert len(LINES) == 4
    assert CRONTAB[0] == "BULKREACT_STATE_DIR=/srv/bulkreact/state"


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line.split()[4:6]))
def test_every_line_of_the_crontab_works_and_is_silent_when_all_is_well(
    program: Program, partner: Partner, line: str
) -> None:
    drop_file(program, "a.csv", 100)
    partner.service.behaviour = ACTIVE_AT_ONCE
    program.environment |= {"BULKREACT_BASE_URL": partner.base_url, "BULKREACT_RATE": "off", **LOOKS_AT_ONCE}
    process = program(*arguments_of(line, program.folder))
    assert (process.code, process.err) == (0, "")


def test_no_variable_of_the_crontab_is_a_secret() -> None:
    variables = {line.partition("=")[0] for line in CRONTAB if line.startswith("BULKREACT")}
    assert variables == {"BULKREACT_STATE_DIR"}
    assert not [line for line in LINES if re.search(r"BULKREACT_|--ping|--notify-url|https?:", line)]


def test_the_configuration_file_for_cron_gives_a_sweep_its_secret_and_its_monitor(
    program: Program, authority: Authority, receiver: Receiver
) -> None:
    drop_file(program, "a.csv", 100)
    text = GUIDE.partition("```toml\n# /srv/bulkreact/bulkreact.toml\n")[2].partition("```")[0]
    url = re.search(r'ping = "(.*)"', text)
    assert url
    changes = {"contoso.onmicrosoft.com": TENANT, "/srv/bulkreact": str(program.folder), url[1]: receiver.url}
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (program.folder / "bulkreact.toml").write_text(text)
    (program.folder / "client-secret").write_text(SECRET)
    for name in ("bulkreact.toml", "client-secret"):
        (program.folder / name).chmod(0o600)
    authority.service.behaviour = ACTIVE_AT_ONCE
    program.environment |= {
        "BULKREACT_TENANT_ID": "",
        "BULKREACT_CLIENT_ID": "",
        "BULKREACT_RATE": "off",
        **LOOKS_AT_ONCE,
    }
    process = program(*arguments_of(LINES[0], program.folder))
    assert (process.code, process.err) == (0, "")
    assert authority.outcomes == [("client_credentials", "issued")]
    assert receiver.paths == ["/start", "/"]


def test_the_service_works_and_is_silent_when_all_is_well(program: Program, authority: Authority) -> None:
    drop_file(program, "a.csv", 100)
    (program.folder / "client-secret").write_text(SECRET)
    (program.folder / "client-secret").chmod(0o600)
    authority.service.behaviour = ACTIVE_AT_ONCE
    program.environment |= LOOKS_AT_ONCE
    process = run_unit(program, "bulkreact.service")
    assert (process.code, process.err) == (0, "")
    assert "a.csv" in file_names(inbox_folder(program) / "done")
    assert authority.service.call_log.effects


def run_unit(program: Program, unit: str) -> ProgramResult:
    """Do what a unit's ExecStart says."""
    return program(*started_by(UNITS[unit], program.folder), "--rate", "off")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    assert verify({**UNITS, **read_units("team-server")}, tmp_path) == (0, "", "")


def test_every_option_for_schedules_is_in_the_guide(program: Program) -> None:
    options = re.findall(r"(?<![\w-])--[a-z-]+", program("sweep", "--help").out)
    own = {"--settle", "--keep", "--again", "--expect-within", "--watch", "--every", "--wait", "--metrics", "--ping"}
    assert own <= set(options)
    assert not [option for option in own if f"`{option}" not in GUIDE]
