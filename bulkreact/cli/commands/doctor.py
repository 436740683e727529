"""``bulkreact doctor``: proves that a run could work, before one is needed at night."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bulkreact.cli import credentials
from bulkreact.cli.command import ConfiguredCommand, EffectiveValue, effective
from bulkreact.cli.commands.doctor_checks import run_checks
from bulkreact.cli.commands.doctor_findings import CheckResult, Findings
from bulkreact.cli.options import shared
from bulkreact.cli.options.identity import identity_options
from bulkreact.errors import EXIT_SUCCESS, CredentialsRefusedError
from bulkreact.settings import BASE_URLS, AuthMethod, Cloud

_COLOURS = {
    CheckResult.OK: "green",
    CheckResult.WARNING: "yellow",
    CheckResult.FAILED: "red",
    CheckResult.SKIPPED: "dim",
}
_SECRETS = (
    credentials.TOKEN_VARIABLE,
    credentials.SECRET_VARIABLE,
    credentials.PASSWORD_VARIABLE,
)
# Where nobody says how wide it may be.
_WIDTH = 160


@click.command("doctor", cls=ConfiguredCommand)
@shared.target_options
@identity_options
@shared.pace_options
@shared.halt_options
@shared.verify_options
@shared.reports_option
@click.option("--json", is_flag=True, help="For programs: everything as one JSON object on stdout.")
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Prove that a run could work: settings, credentials, network, clock, and one harmless read.

    It looks at the settings that 'bulkreact run' would have. Nothing is reactivated.
    """
    findings = run_checks(ctx)
    settings = _settings(ctx, findings)
    if ctx.params["json"]:
        click.echo(json.dumps(_for_programs(settings, findings), indent=2))
    else:
        _show(settings, findings)
    ctx.exit(EXIT_SUCCESS if findings.healthy else CredentialsRefusedError.exit_code)


def _settings(ctx: click.Context, findings: Findings) -> dict[str, EffectiveValue]:
    """Return what holds and where it comes from; of secrets, only whether they are set."""
    shown = {name: one for name, one in effective(ctx).items() if name != "json"}
    cloud = Cloud(ctx.params["cloud"])
    if shown["base_url"].text is None and not ctx.params["simulate"]:
        shown["base_url"] = EffectiveValue(BASE_URLS[cloud], f"cloud {cloud}")
    if chosen := findings.chosen:
        implied = "stored sign-in" if chosen.record else f"cloud {cloud}"
        known = {
            "auth": chosen.auth.value,
            "tenant_id": chosen.identity.tenant_id,
            "client_id": chosen.identity.client_id,
            "authority": chosen.identity.authority,
            "scope": chosen.identity.scope,
        }
        for name, value in known.items():
            if (
                shown[name].text is None
                and value
                and (chosen.auth is not AuthMethod.TOKEN or name in {"auth", "scope"})
            ):
                shown[name] = EffectiveValue(value, "what is given" if name == "auth" else implied)
    for name in _SECRETS:
        shown[name] = (
            EffectiveValue("set, not shown", "environment") if os.environ.get(name) else EffectiveValue(None, "")
        )
    return shown


def _for_programs(settings: Mapping[str, EffectiveValue], findings: Findings) -> dict[str, object]:
    return {
        "healthy": findings.healthy,
        "checks": [check.to_dict() for check in findings.checks],
        "token": asdict(findings.claims) if findings.claims else None,
        "refresh_token": asdict(findings.refresh_token) if findings.refresh_token else None,
        "clock_skew_seconds": findings.clock_skew,
        "is_mfa_compliant": findings.is_mfa_compliant,
        "settings": {name: {"value": one.text, "origin": one.origin} for name, one in settings.items()},
    }


def _show(settings: Mapping[str, EffectiveValue], findings: Findings) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    table = Table("setting", Column("value", overflow="fold"), "from", box=None, pad_edge=False)
    for name, one in settings.items():
        if one.text is not None:
            table.add_row(name, one.text, one.origin)
    console.print(table)
    console.print()
    table = Table("check", "result", Column("found", overflow="fold"), box=None, pad_edge=False)
    for check in findings.checks:
        words = (
            f"{check.message}\n{check.advice}" if check.advice and check.result is not CheckResult.OK else check.message
        )
        table.add_row(check.name, Text(check.result, style=_COLOURS[check.result]), words)
    console.print(table)
    console.print()
    failed = [check.name for check in findings.checks if check.result is CheckResult.FAILED]
    console.print(f"A run would not work: {', '.join(failed)}." if failed else "A run could work.")
