"""``bulkreact doctor``: checks everything that a run needs, without sending anything."""

import json
import os
from collections.abc import Iterable, Mapping
from functools import partial

import click
from msgspec.structs import asdict
from rich.table import Column, Table
from rich.text import Text

from bulkreact.cli.command import ConfiguredCommand, EffectiveValue, effective
from bulkreact.cli.credentials import credential_source
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of
from bulkreact.cli.options import shared
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.output.safe_console import stdout_console
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import EXIT_SUCCESS, CredentialsRefusedError
from bulkreact.partnercenter.auth.credential_source import AppSource, CredentialSource, TokenSource, UserSource
from bulkreact.runs.doctor_checks import run_checks
from bulkreact.runs.findings import Check, CheckResult, Findings
from bulkreact.secret_variables import PASSWORD_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE
from bulkreact.settings import BASE_URLS, AuthMethod, Cloud

_COLOURS = {
    CheckResult.OK: "green",
    CheckResult.WARNING: "yellow",
    CheckResult.FAILED: "red",
    CheckResult.SKIPPED: "dim",
}
_SECRETS = (TOKEN_VARIABLE, SECRET_VARIABLE, PASSWORD_VARIABLE)


@click.command("doctor", cls=ConfiguredCommand)
@shared.target_options
@identity_options
@shared.limit_options
@shared.halt_options
@shared.verify_options
@shared.reports_option
@click.option("--json", is_flag=True, help="For programs: everything as one JSON object on stdout.")
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Prove that a run could work: settings, credentials, network, clock, and one harmless read.

    It looks at the settings that 'bulkreact run' would have. Nothing is reactivated.
    """
    service = shared.read_service(ctx)
    resolve, redactor = partial(credential_source, ctx, service.cloud), invocation_of(ctx).redactor
    findings = run_async(run_checks(service, ctx.params["reports"], resolve, redactor))
    settings = _settings(ctx, findings.source)
    if ctx.params["json"]:
        echo(json.dumps(_to_dict(settings, findings), indent=2))
    else:
        _show(settings, findings)
    ctx.exit(EXIT_SUCCESS if findings.healthy else CredentialsRefusedError.exit_code)


def _settings(ctx: click.Context, source: CredentialSource | None) -> dict[str, EffectiveValue]:
    """Return the effective settings and their sources; of secrets, only whether they are set."""
    settings = {name: value for name, value in effective(ctx).items() if name != "json"}
    cloud = Cloud(ctx.params["cloud"])
    derived = {} if ctx.params["simulate"] else {"base_url": EffectiveValue(BASE_URLS[cloud], f"cloud {cloud}")}
    if source:
        derived |= _derived_settings(source, cloud)
    settings |= {name: value for name, value in derived.items() if settings[name].text is None and value.text}
    for name in _SECRETS:
        is_set = bool(os.environ.get(name))
        settings[name] = EffectiveValue("set, not shown", "environment") if is_set else EffectiveValue(None, "")
    return settings


def _derived_settings(source: CredentialSource, cloud: Cloud) -> dict[str, EffectiveValue]:
    """Return the settings that follow from the source of the credentials."""
    methods = {TokenSource: AuthMethod.TOKEN, AppSource: AuthMethod.APP, UserSource: AuthMethod.USER}
    origin = "stored sign-in" if isinstance(source, UserSource) else f"cloud {cloud}"
    # A given token was not requested with app, tenant and authority.
    names = ("scope",) if isinstance(source, TokenSource) else ("tenant_id", "client_id", "authority", "scope")
    derived = {name: EffectiveValue(getattr(source.identity, name), origin) for name in names}
    return {"auth": EffectiveValue(methods[type(source)].value, "what is given"), **derived}


def _to_dict(settings: Mapping[str, EffectiveValue], findings: Findings) -> dict[str, object]:
    return {
        "healthy": findings.healthy,
        "checks": [check.to_dict() for check in findings.checks],
        "token": asdict(findings.claims) if findings.claims else None,
        "refresh_token": asdict(findings.refresh_token) if findings.refresh_token else None,
        "clock_skew_seconds": findings.clock_skew,
        "is_mfa_compliant": findings.is_mfa_compliant,
        "settings": {name: {"value": value.text, "origin": value.origin} for name, value in settings.items()},
    }


def _show(settings: Mapping[str, EffectiveValue], findings: Findings) -> None:
    """Print the verdict, then what to do, then what is well, then the settings."""
    console = stdout_console()
    console.print(Text(findings.verdict, style="green" if findings.healthy else "red"))
    for title, checks in (("what to do", findings.to_do), ("checked", findings.others)):
        if checks:
            console.print()
            console.print(_checks_table(title, checks))
    table = Table("setting", Column("value", overflow="fold"), "from", box=None, pad_edge=False)
    for name, value in settings.items():
        if value.text is not None:
            table.add_row(name, value.text, value.origin)
    console.print()
    console.print(table)


def _checks_table(title: str, checks: Iterable[Check]) -> Table:
    table = Table(title, "result", Column("found", overflow="fold"), box=None, pad_edge=False)
    for check in checks:
        advice = f"\n{check.advice}" if check.advice and check.result is not CheckResult.OK else ""
        table.add_row(check.name, Text(check.result, style=_COLOURS[check.result]), f"{check.message}{advice}")
    return table
