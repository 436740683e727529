"""Every command is killed at each of its steps: nothing is sent twice, lost, misreported or left behind."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.fork_server import ForkServer
from tests.support.kill_trials import SETTLED_ROWS, Arguments, Scene, Stop, Trial
from tests.support.program import Partner, Program

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")]

PARTS = 4
# One call at a time: at each step at most one is under way.
ALONE = ("--rate", "off", "--yes", "--concurrency", "1", "--attempts", "2", "--timeout", "600")
RUN: Arguments = ("run", "input.csv", "--base-url", "{url}", *ALONE, "--results", "copy.csv", "--metrics", "run.prom")
RESUME: Arguments = ("resume", *ALONE, "--results", "copy.csv", "--metrics", "run.prom")
VERIFY: Arguments = ("verify", "{run}", "--rate", "off", "--concurrency", "1", "--results", "copy.csv")
RESULTS: Arguments = ("results", "{run}")
PRUNE: Arguments = ("prune", "--older-than", "0s", "--yes")
SWEEP: Arguments = ("sweep", "--base-url", "{url}", *ALONE, "--settle", "0", "--metrics", "run.prom")
THIRD_ANSWER = Stop(3, "answered reactivate-entitlement")

SCENES = {
    "run": Scene(RUN, ((1, RUN), (1, RESUME))),
    "resume": Scene(RESUME, ((1, RESUME), (1, RUN)), before=(RUN,), stopped_before=THIRD_ANSWER),
    "verify": Scene(VERIFY, ((1, VERIFY), (1, VERIFY)), before=(RUN,)),
    "results": Scene(RESULTS, ((0, RESULTS), (1, RUN)), before=(RUN,)),
    "sweep": Scene(SWEEP, ((1, SWEEP), (0, SWEEP)), rows=SETTLED_ROWS, input_file="inputs/input.csv"),
    "prune": Scene(
        PRUNE, ((0, PRUNE),), before=(RUN, ("run", "input.csv", "--new", *RUN[2:])), rows=SETTLED_ROWS, ids_of_row=2
    ),
}


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


@pytest.fixture
def start_trial(
    tmp_path: Path, start_partner: Callable[[Behaviour], Partner], fork_server: ForkServer
) -> Callable[[Scene], Trial]:
    numbers = iter(range(10_000))

    def start(scene: Scene) -> Trial:
        program = Program(tmp_path / str(next(numbers)))
        program.folder.mkdir()
        return Trial(fork_server, program, start_partner(Behaviour(activation_delay=0)), scene)

    return start


def find_problems(start: Callable[[Scene], Trial], scene: Scene, part: int, number: int) -> dict[str, list[str]]:
    """Stop a scene's command at every step of one part; return what is wrong after which of them."""
    calm = start(scene)
    calm_end = calm.play()[-1]
    problems = {}
    for nth in range(1 + part, len(calm_end.steps) + 1, PARTS):
        trial = start(scene)
        ended = trial.play(Stop(nth, number=number))
        found = list(trial.find_problems(ended))
        if trial.results != calm.results:
            found.append(f"the results are {trial.results} instead of {calm.results}")
        if trial.calls > calm.calls + 1:
            found.append(f"{trial.calls} calls instead of {calm.calls}")
        if found:
            problems[f"{nth}: {ended[0].steps[-1]}"] = found
    return problems


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_step(start_trial: Callable[[Scene], Trial], name: str, part: int) -> None:
    assert find_problems(start_trial, SCENES[name], part, signal.SIGKILL) == {}
