"""Chaos: runs are killed at random moments while the partner fails at random, and nothing may be lost or repeated.

``--chaos-kills`` and ``--chaos-rows`` make it longer.
"""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from bulkreact.models import Status
from bulkreact.settings import Limits, Verification
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.conftest import Chaos
from tests.support.ids import guid, read_csv, row, scenario_id, target, write_csv
from tests.support.invariants import (
    DROPPED,
    ReceivedCall,
    count_new_ids_too_early,
    count_repeated,
    count_second_effects,
    find_disagreements,
    received_calls,
)
from tests.support.program import Partner, Program
from tests.support.virtual_run import Killed, VirtualRun

# Scenarios that end the same way whatever happens on the way.
SCENARIOS = (429, 503, 504, 599, 2599, 597, 1597, 3599, 800111, 900278, 4202, 2202)
VARYING = {"attempts", "request_id", "correlation_id", "started_at", "finished_at"}
_SECONDS_OF_LIFE = 2.2
_SECONDS_TO_START = 0.8


def entitlements(count: int, chance: Random) -> list[str]:
    """Return entitlement ids, one in three of them with a scenario."""
    return [
        scenario_id(chance.choice(SCENARIOS), number) if chance.random() < 1 / 3 else guid(number)
        for number in range(count)
    ]


def comparable_results(folder: Path) -> list[dict[str, str]]:
    """Return results apart from times, ids and attempts."""
    return [
        {name: cell for name, cell in line.items() if name not in VARYING} for line in read_csv(folder / "results.csv")
    ]


def kill_in_virtual_time(folder: Path, chaos: Chaos, rules: Behaviour, mortality: float) -> tuple[VirtualRun, int]:
    """Work on a run until it ends, with processes killed at random; return it and the number of kills."""
    chance = Random(chaos.seed)
    virtual_run = VirtualRun(folder, rules, seed=chaos.seed)
    virtual_run.create_journal(
        [target(entitlement, number % 7) for number, entitlement in enumerate(entitlements(chaos.rows, chance))]
    )
    virtual_run.kills_process = lambda: chance.random() < mortality
    limits = Limits(calls_per_second=20, attempts=1000, verify=Verification(after=1, every=5, timeout=600))
    kills = 0
    while True:
        try:
            virtual_run.work(limits)
        except Killed:
            kills += 1
        else:
            return virtual_run, kills


def test_killed_between_any_two_steps_in_virtual_time(
    tmp_path: Path, chaos: Chaos, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = Behaviour(activation_delay=20, activation_spread=20, fault_share=0.25, seed=chaos.seed)
    (tmp_path / "calm").mkdir()
    (tmp_path / "chaos").mkdir()
    calm, _ = kill_in_virtual_time(tmp_path / "calm", chaos, replace(rules, fault_share=0), mortality=0)
    virtual_run, kills = kill_in_virtual_time(tmp_path / "chaos", chaos, rules, mortality=0.04)
    seen = [
        ReceivedCall(
            sent.path.split("/")[-2],
            sent.request_id,
            sent.correlation_id,
            str(sent.status) if sent.status else DROPPED,
        )
        for sent in virtual_run.sent
        if sent.method == "POST"
    ]
    ends = [(row.outcome.status, row.outcome.code, row.outcome.description) for row in virtual_run.rows()]
    expected = [(row.outcome.status, row.outcome.code, row.outcome.description) for row in calm.rows()]
    lost = sum(status not in {Status.REACTIVATED, Status.FAILED, Status.DEFERRED} for status, *_ in ends)
    figures = {
        "kills": kills,
        "rows": len(ends),
        "calls": len(virtual_run.sent),
        "answers": dict(Counter(call.answer for call in seen)),
        "lost": lost,
        "repeated": count_repeated(virtual_run.folder),
        "second effects": count_second_effects(virtual_run.service.call_log.effects),
        "new ids too early": count_new_ids_too_early(seen),
        "disagreements": len(find_disagreements(virtual_run.folder, seen)),
    }
    with capsys.disabled():
        print(f"\nchaos in virtual time, seed {chaos.seed}: {figures}")  # noqa: T201 - the figures are asked for
    assert kills > 0
    assert ends == expected
    assert [figures[name] for name in ("lost", "repeated", "second effects", "new ids too early")] == [0] * 4
    assert find_disagreements(virtual_run.folder, seen) == []
    assert virtual_run.service.call_log.violations == []


class RepeatedKills:
    """Starts a run and continues it again and again, and ends each process at a random moment."""

    def __init__(self, program: Program, run: tuple[str, ...], options: tuple[str, ...], chaos: Chaos) -> None:
        self._program = program
        self._run = run
        self._options = options
        self._chance = Random(chaos.seed)
        self._kills = chaos.kills
        self.means: Counter[str] = Counter()
        self.torn: list[str] = []

    def __call__(self, rate: str) -> Path:
        """Work at a rate while there is killing, then without one to the end; return the run's folder."""
        while self.means.total() < self._kills:
            process = self._program.start(*self._command(), "--rate", rate)
            if not self._end(process):
                break
            reports = self._program.folder / "reports"
            left = [*reports.glob("[!.]*/*.csv"), *reports.glob("[!.]*/*.json"), *reports.glob("*.json")]
            self.torn += [str(path) for path in left if not is_whole(path)]
        ended = self._program(*self._command(), "--rate", "off")
        assert ended.code in {0, 1}, ended.err
        return ended.run

    def _command(self) -> tuple[str, ...]:
        begun = any(self._program.folder.glob("reports/[!.]*/journal.sqlite3"))
        return ("resume", *self._options) if begun else (*self._run, *self._options)

    def _end(self, process: "subprocess.Popen[str]") -> bool:
        """End a process by one means or another; return false when it was faster."""
        try:
            process.communicate(timeout=self._chance.uniform(0, _SECONDS_OF_LIFE))
        except subprocess.TimeoutExpired:
            means = self._chance.choices(["SIGKILL", "SIGTERM", "SIGINT twice"], [8, 1, 1])[0]
            getattr(self, f"_{means.split()[0].lower()}")(process)
            process.communicate(timeout=60)
            self.means[means] += 1
            return True
        return False

    @staticmethod
    def _sigkill(process: "subprocess.Popen[str]") -> None:
        process.kill()

    @staticmethod
    def _sigterm(process: "subprocess.Popen[str]") -> None:
        process.terminate()

    @staticmethod
    def _sigint(process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
        process.send_signal(signal.SIGINT)


def is_whole(path: Path) -> bool:
    """Return whether a result file was written to its end."""
    text = path.read_text()
    if path.suffix == ".json":
        return text.endswith("}\n") and bool(json.loads(text))
    return text.endswith("\n") and all(None not in line.values() for line in read_csv(path))


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_at_any_time_as_real_processes(
    tmp_path: Path, start_partner: Callable[[Behaviour], Partner], chaos: Chaos, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = Random(chaos.seed)
    ids = [row(entitlement, number % 7) for number, entitlement in enumerate(entitlements(chaos.rows, chance))]
    rows = [*ids, ids[3], ("x", "", "")]
    options = ("--verify", "--verify-after", "0", "--verify-every", "0.3", "--attempts", "1000", "--yes")
    rules = Behaviour(activation_delay=1, activation_spread=1, fault_share=0.25, seed=chaos.seed)

    def run_with_kills(name: str, rules: Behaviour, chaos: Chaos, rate: str) -> tuple[RepeatedKills, Path, Partner]:
        partner = start_partner(rules)
        program = Program(tmp_path / name)
        program.folder.mkdir()
        write_csv(program.folder / "input.csv", rows)
        kills = RepeatedKills(program, ("run", "input.csv", "--base-url", partner.base_url), options, chaos)
        return kills, kills(rate), partner

    _, expected, _ = run_with_kills("calm", replace(rules, fault_share=0), replace(chaos, kills=0), "off")
    # So fast that the run is done about when it has been killed often enough.
    alive = sum(max(0.0, _SECONDS_OF_LIFE * share / 100 - _SECONDS_TO_START) for share in range(100)) / 100
    rate = max(1.0, 1.5 * chaos.rows / (max(1, chaos.kills) * alive))
    kills, folder, partner = run_with_kills("chaos", rules, chaos, f"{rate:.1f}/s")
    ledger = partner.service.call_log
    seen = received_calls(ledger)
    lines = read_csv(folder / "results.csv")
    lost = sum(line["status"] in {"unknown", "not_attempted", "pending", "accepted"} for line in lines)
    summary = json.loads((folder / "summary.json").read_text())
    figures = {
        "ended by": dict(kills.means),
        "rows": len(lines),
        "calls": len(ledger.calls),
        "answers": dict(Counter(str(call["answer"]) for call in ledger.calls)),
        "lost": lost,
        "repeated": count_repeated(folder),
        "second effects": count_second_effects(ledger.effects),
        "new ids too early": count_new_ids_too_early(seen),
        "disagreements": len(find_disagreements(folder, seen)),
        "torn files": len(kills.torn),
    }
    with capsys.disabled():
        print(f"\nchaos in real processes, seed {chaos.seed}: {figures}")  # noqa: T201 - the figures are asked for
    assert comparable_results(folder) == comparable_results(expected)
    assert sum(summary["counts"].values()) == summary["input"]["rows"] == len(rows)
    zeros = ("lost", "repeated", "second effects", "new ids too early", "torn files")
    assert [figures[name] for name in zeros] == [0] * len(zeros)
    assert find_disagreements(folder, seen) == []
    assert ledger.violations == []
