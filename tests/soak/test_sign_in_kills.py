"""Signing in, and the first run that renews its token, are killed at each step: a sign-in is whole or can be made again."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.fork_server import ForkedCommand, ForkedResult, ForkServer
from tests.support.ids import guid, row, write_csv
from tests.support.program import Program
from tests.support.run_commands import FAST
from tests.support.signed_in import USER
from tests.support.token_authority import CLIENT, TENANT, Authority

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")]
LOGIN = ("login", "--store", "file")
RUN = ("run", "input.csv", *FAST, *USER, "--new")


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


def run(
    server: ForkServer, program: Program, authority: Authority, command: tuple[str, ...], trial: int, nth: int = 0
) -> ForkedResult:
    """Run a command with the sign-ins of a trial; kill it at a step if there is one."""
    token = authority.directory.issue_refresh_token(CLIENT, TENANT, public=True) if command is LOGIN else ""
    state = {"BULKREACT_STATE_DIR": str(program.folder / f"state-{trial}"), "BULKREACT_REFRESH_TOKEN": token}
    return server.run(
        ForkedCommand([*command], str(program.folder), {**os.environ, **program.variables, **state}, "", nth)
    )


@pytest.mark.parametrize("killed", [LOGIN, RUN], ids=["login", "run"])
def test_a_killed_command_leaves_a_sign_in_that_works_or_can_be_made(
    program: Program, authority: Authority, fork_server: ForkServer, killed: tuple[str, ...]
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    run(fork_server, program, authority, LOGIN, 0)
    steps = run(fork_server, program, authority, killed, 0).steps
    last = next((nth for nth, step in enumerate(steps, 1) if step.startswith("send")), len(steps))
    problems = {}
    for nth in range(1, last + 1):
        before = [] if killed is LOGIN else [run(fork_server, program, authority, LOGIN, nth)]
        ended = run(fork_server, program, authority, killed, nth, nth)
        after = [
            run(fork_server, program, authority, command, nth)
            for command in ([LOGIN, RUN] if killed is LOGIN else [RUN])
        ]
        partial = sorted((program.folder / f"state-{nth}").rglob("*.partial"))
        codes = [result.code for result in (*before, ended, *after)]
        if codes != [*(0 for _ in before), -signal.SIGKILL, *(0 for _ in after)] or partial:
            problems[f"{nth}: {ended.steps[-1:]}"] = (codes, partial, after[-1].err[-500:])
    assert problems == {}
