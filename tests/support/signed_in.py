"""Runs with app credentials and sign-ins, against a token service over TLS."""

from pathlib import Path

from bulkreact.simulator.identity.directory import App
from tests.support.ids import guid, row, write_csv
from tests.support.program import Program, ProgramResult
from tests.support.run_commands import FAST
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority

APP = ("--auth", "app")
USER = ("--auth", "user")
OTHER_TENANT = "7e4a4700-0000-4000-8000-a00000000002"
ROTATED_ONCE = ("refresh_token", "issued")


def secret_app(**changes: object) -> App:
    """Return an app registration with the secret."""
    return App(**{"client_id": CLIENT, "tenant_id": TENANT, "secrets": {SECRET: "valid"}, **changes})  # type: ignore[arg-type]


def run(program: Program, *options: str | Path, rows: int = 3) -> ProgramResult:
    """Run so many plain rows."""
    write_csv(program.folder / "input.csv", [row(guid(number), number % 5) for number in range(rows)])
    return program("run", "input.csv", *FAST, *options)


def sign_in(program: Program, authority: Authority, *options: str) -> ProgramResult:
    """Sign in with a refresh token that was issued before."""
    token = authority.directory.issue_refresh_token(
        CLIENT, TENANT, public="BULKREACT_CLIENT_SECRET" not in program.environment
    )
    program.environment["BULKREACT_REFRESH_TOKEN"] = token
    process = program("login", *options)
    del program.environment["BULKREACT_REFRESH_TOKEN"]
    return process


def replace_app(authority: Authority, app: App) -> None:
    """Replace the only app registration."""
    authority.directory.apps.clear()
    authority.directory.register(app)


def calls(authority: Authority) -> list[tuple[str, str]]:
    """Return request id and answer of every reactivation."""
    return [
        (str(call["request_id"]), str(call["answer"]))
        for call in authority.service.call_log.calls
        if str(call["path"]).endswith("/reactivate")
    ]
