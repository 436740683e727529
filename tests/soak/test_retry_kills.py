"""A retry is stopped at each step until its first answer: whatever comes next, every row is sent by one run."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.fork_server import ForkedCommand, ForkedResult, ForkServer
from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.invariants import count_second_effects
from tests.support.program import Partner, Program
from tests.support.run_commands import ids_by_path

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")]

ROWS = (row(guid(1)), row(guid(2), 2), row(guid(3)), row(guid(1)), row(scenario_id(429)), row(scenario_id(599), 2))
ORDERS = {
    "the same command first": ("retry", "resume the first run", "resume"),
    "the first run first": ("resume the first run", "retry", "resume"),
    "the latest run first": ("resume", "retry", "resume the first run"),
}


@dataclass
class Trial:
    """A run that --limit has left incomplete, and its retry, in one folder with one partner."""

    server: ForkServer
    program: Program
    partner: Partner
    # Names of the same second have no order.
    first: str = ""

    def run(self, command: str, *stop_at: int) -> ForkedResult:
        """Run a command; with ``stop_at`` it gets a signal (number) at a step (number)."""
        arguments = {
            "run": ("run", "input.csv", "--base-url", self.partner.base_url, "--limit", "2"),
            "retry": ("retry", self.first),
            "resume the first run": ("resume", self.first),
            "resume": ("resume",),
        }[command]
        alone = ("--rate", "off", "--yes", "--concurrency", "1", "--attempts", "2")
        environment = {**os.environ, **self.program.variables}
        return self.server.run(ForkedCommand([*arguments, *alone], str(self.program.folder), environment, "", *stop_at))

    def find_problems(self, order: tuple[str, ...]) -> list[str]:
        """Run what comes next; return what is wrong then, as the exit codes and the partner show it."""
        ended = [self.run(command) for command in order]
        problems = [f"{result.code}: {result.err}" for result in ended if result.code]
        problems += [f"{path} under {ids}" for path, ids in ids_by_path(self.partner).items() if len(set(ids)) > 1]
        effects = self.partner.service.call_log.effects
        if count_second_effects(effects) or len(effects) != len({cells[2] for cells in ROWS}):
            problems.append(f"effects: {sorted(effect['entitlement_id'] for effect in effects)}")
        return problems


@pytest.fixture
def start_trial(tmp_path: Path, start_partner: Callable[[Behaviour], Partner]) -> Iterator[Callable[[], Trial]]:
    numbers = iter(range(10_000))
    with ForkServer() as server:

        def start() -> Trial:
            program = Program(tmp_path / str(next(numbers)))
            program.folder.mkdir()
            write_csv(program.folder / "input.csv", ROWS)
            trial = Trial(server, program, start_partner(Behaviour(activation_delay=0)))
            trial.run("run")
            (folder,) = (program.folder / "reports").glob("[!.]*Z-*")
            trial.first = folder.name
            return trial

        yield start


@pytest.mark.parametrize(
    ("order", "number"), [*((order, signal.SIGKILL) for order in ORDERS), ("the first run first", signal.SIGINT)]
)
def test_a_retry_is_stopped_at_any_step_from_its_publishing_to_its_first_answer(
    start_trial: Callable[[], Trial], order: str, number: int
) -> None:
    steps = start_trial().run("retry").steps
    published = next(nth for nth, step in enumerate(steps, 1) if step.startswith("rename"))
    answered = next(nth for nth, step in enumerate(steps, 1) if step.startswith("answered"))
    problems = {}
    for nth in range(published, answered + 2):
        trial = start_trial()
        trial.run("retry", nth, number)
        problems[f"{nth}: {steps[nth - 1]}"] = trial.find_problems(ORDERS[order])
    assert set(map(tuple, problems.values())) == {()}, problems
