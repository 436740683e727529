"""Every command is killed at each of its steps: nothing is sent twice, lost, misreported or left behind."""

import os
import signal
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.fork_server import ForkServer
from tests.support.kill_trials import SETTLED_ROWS, SUBSCRIPTION_ROWS, Arguments, Scene, Stop, Trial
from tests.support.program import Partner, Program

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")]

PARTS = 4
# Up to its results, a run to its end is like any other.
FIRST = {"run to its end": 55}
# The steps of these are mostly those of a run.
STRIDES = {"run of subscriptions": 3, "resume": 3, "sweep": 3}
# One call at a time: at each step at most one is under way.
ALONE = ("--rate", "off", "--yes", "--concurrency", "1", "--attempts", "2", "--timeout", "600")
RUN: Arguments = ("run", "input.csv", "--base-url", "{url}", *ALONE, "--results", "copy.csv", "--metrics", "run.prom")
NEW_RUN: Arguments = ("run", "input.csv", "--new", *RUN[2:])
RESUME: Arguments = ("resume", *ALONE, "--results", "copy.csv", "--metrics", "run.prom")
VERIFY: Arguments = ("verify", "{run}", "--rate", "off", "--concurrency", "1", "--results", "copy.csv")
RESULTS: Arguments = ("results", "{run}")
PRUNE: Arguments = ("prune", "--older-than", "0s", "--yes")
SWEEP: Arguments = ("sweep", "--base-url", "{url}", *ALONE, "--settle", "0", "--metrics", "run.prom")
THIRD_ANSWER = Stop(3, "answered reactivate-entitlement")
RESUMED = Scene(RESUME, (({1}, RESUME), ({1}, RUN)), before=(RUN,), stopped_before=THIRD_ANSWER)
SETTLED = (("input.csv", SETTLED_ROWS),)
# The second has the rows of the first, the third is refused.
INBOX = (("inputs/input.csv", SETTLED_ROWS), ("inputs/copy.csv", SETTLED_ROWS), ("inputs/wrong.csv", ()))
RUN_SUBSCRIPTIONS: Arguments = (*RUN, "--kind", "auto", "--verify-after", "0", "--verify-every", "1")

SCENES = {
    "run": Scene(RUN, (({1}, RUN), ({1}, RESUME))),
    # Without a lost answer the same command would begin anew, once the end is recorded.
    "run to its end": Scene(RUN, (({1}, RUN),), files=SETTLED, until="commit journal.sqlite3: UPDATE sessions"),
    "run of subscriptions": Scene(
        RUN_SUBSCRIPTIONS,
        (({0}, RUN_SUBSCRIPTIONS),),
        files=(("input.csv", SUBSCRIPTION_ROWS),),
        # After a lost answer an active subscription is read, and not updated.
        varying=("status", "http_status"),
        until="commit journal.sqlite3: UPDATE sessions",
    ),
    "resume": RESUMED,
    "resume after a signal": replace(RESUMED, stopped_before=replace(THIRD_ANSWER, number=signal.SIGTERM)),
    "verify": Scene(VERIFY, (({1}, VERIFY),), before=(RUN,)),
    "results": Scene(RESULTS, (({0}, RESULTS),), before=(RUN,)),
    # Once the file was moved there is nothing to do any more.
    "sweep": Scene(SWEEP, (({0, 1, 2}, SWEEP), ({0}, SWEEP)), files=INBOX),
    "prune": Scene(PRUNE, (({0}, PRUNE),), before=(RUN, NEW_RUN), files=SETTLED, ids_of_row=2),
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


def find_problems(
    start: Callable[[Scene], Trial], scene: Scene, steps: range, stop: Callable[[Trial, int], bool], kills: int = 1
) -> dict[int, list[str]]:
    """Stop a scene's command at some of its steps; return what is wrong after which of them.

    ``stop`` stops the command of a trial at a step, and returns whether it was still at work.
    """
    calm = start(scene)
    calm.prepare()
    last = len(calm.run().steps)
    problems = {}
    for nth in steps[: bisect(steps, last)]:
        trial = start(scene)
        trial.prepare()
        if not stop(trial, nth):
            continue
        found = list(trial.finish())
        if trial.results != calm.results:
            found.append(f"the results are {trial.results} instead of {calm.results}")
        if trial.files != calm.files:
            found.append(f"the files are {trial.files} instead of {calm.files}")
        if trial.calls > calm.calls + kills:
            found.append(f"{trial.calls} calls instead of {calm.calls}")
        if found:
            problems[nth] = found
    return problems


def kill(trial: Trial, nth: int) -> bool:
    return not trial.is_done(trial.run(Stop(nth)))


def kill_twice(trial: Trial, nth: int) -> bool:
    # The second one at any other step.
    return not trial.is_done(trial.run(Stop(nth))) and not trial.is_done(trial.run(Stop(1 + nth * 37 % 80)))


def kill_while_it_calls(trial: Trial, nth: int) -> bool:
    return trial.kill_while_it_calls(nth).code == -signal.SIGKILL


def interrupt(trial: Trial, nth: int) -> bool:
    return _send_signal(trial, Stop(nth, number=signal.SIGINT), 130)


def terminate(trial: Trial, nth: int) -> bool:
    return _send_signal(trial, Stop(nth, number=signal.SIGTERM), 143)


def _send_signal(trial: Trial, stop: Stop, code: int) -> bool:
    ended = trial.run(stop)
    codes, _ = trial.scene.after[0]
    assert ended.code in {*codes, code}, f"{stop}: {ended.code} {ended.err}"
    assert "Traceback" not in ended.err
    assert list(trial.find_leftovers()) == []
    return ended.code == code


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", [name for name in SCENES if name != "resume after a signal"])
def test_killed_at_any_step(start_trial: Callable[[Scene], Trial], name: str, part: int) -> None:
    steps = range(FIRST.get(name, 1), 999, STRIDES.get(name, 1))[part::PARTS]
    assert find_problems(start_trial, SCENES[name], steps, kill) == {}


@pytest.mark.parametrize("name", ["run", "resume", "sweep"])
def test_killed_again_in_the_next_process(start_trial: Callable[[Scene], Trial], name: str) -> None:
    assert find_problems(start_trial, SCENES[name], range(2, 999, 6), kill_twice, kills=2) == {}


@pytest.mark.parametrize("name", ["run", "resume", "sweep"])
def test_killed_while_a_call_takes_effect(start_trial: Callable[[Scene], Trial], name: str) -> None:
    assert find_problems(start_trial, SCENES[name], range(1, 12), kill_while_it_calls) == {}


@pytest.mark.parametrize("stop", [interrupt, terminate])
@pytest.mark.parametrize("name", ["run to its end", "resume after a signal", "verify", "sweep"])
def test_a_signal_at_any_step(
    start_trial: Callable[[Scene], Trial], name: str, stop: Callable[[Trial, int], bool]
) -> None:
    assert find_problems(start_trial, SCENES[name], range(1, 999, 7), stop) == {}
