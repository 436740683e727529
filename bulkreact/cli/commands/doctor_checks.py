"""What doctor examines: each thing a run needs, one after the other, with what it found in words."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from uuid import uuid4

import click

from bulkreact.cli import credentials
from bulkreact.cli.commands.doctor_findings import CheckResult, Findings, RefreshTokenAge
from bulkreact.cli.credentials import ResolvedCredentials
from bulkreact.cli.options import shared
from bulkreact.errors import AlreadyRunningError, BulkreactError, InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.models import NoResponse, Operation, Response
from bulkreact.partnercenter.auth.access_tokens import StaticToken
from bulkreact.partnercenter.auth.app_credentials import Certificate
from bulkreact.partnercenter.auth.token_claims import Claims
from bulkreact.partnercenter.client import connect
from bulkreact.partnercenter.error_codes.lookup import lookup
from bulkreact.partnercenter.protocol import build_customers_request, judge, mfa_compliance
from bulkreact.partnercenter.reachability import reach
from bulkreact.partnercenter.verdicts import Accepted, TokenRefused
from bulkreact.runs.partner_lock import locked
from bulkreact.runs.state_dir import state_folder
from bulkreact.settings import AuthMethod, Limits, Service

CLOCK_SECONDS = 120.0
REFRESH_TOKEN_DAYS_LEFT = 14
_CERTIFICATE_DAYS_LEFT = 30
_READ_SECONDS = 30.0


def run_checks(ctx: click.Context) -> Findings:
    """Examine everything in the order in which a run needs it."""
    findings = Findings()
    _folder(findings, "reports folder", ctx.params["reports"], "Choose another with --reports.")
    _folder(findings, "state folder", state_folder(), "Name another in BULKREACT_STATE_DIR.")
    service = shared.service(ctx)
    chosen: ResolvedCredentials | None = None
    if service.simulated:
        findings.add("credentials", CheckResult.OK, "none are needed to practise")
    else:
        try:
            chosen = credentials.resolve(ctx, service.cloud)
            findings.chosen = chosen
            findings.add("credentials", CheckResult.OK, _described(chosen))
            _certificate(findings, chosen)
        except BulkreactError as error:
            findings.add("credentials", CheckResult.FAILED, str(error))
    asyncio.run(_online(findings, service, chosen))
    return findings


async def _online(findings: Findings, service: Service, chosen: ResolvedCredentials | None) -> None:
    async with AsyncExitStack() as stack:
        if service.simulated:
            from bulkreact.simulator.partnercenter.service import Behaviour  # noqa: PLC0415
            from bulkreact.simulator.server import serve  # noqa: PLC0415 - the server is loaded only to practise

            base_url, _ = await stack.enter_async_context(serve(Behaviour()))
            service = replace(service, base_url=base_url)
        try:
            await _network(findings, service, chosen)
        except BulkreactError as error:
            findings.add("network", CheckResult.FAILED, str(error))
            return
        if chosen and not await _token(findings, chosen):
            findings.add("harmless read", CheckResult.SKIPPED, "there is no token that could be used")
            return
        if chosen or service.simulated:
            await _read(findings, service, chosen)


async def _network(findings: Findings, service: Service, chosen: ResolvedCredentials | None) -> None:
    asked = [("Partner Center", service.base_url)]
    if chosen and chosen.auth is not AuthMethod.TOKEN:
        asked.insert(0, ("token service", chosen.identity.authority))
    for (name, _), found in zip(asked, await asyncio.gather(*(reach(url) for _, url in asked)), strict=True):
        findings.add(name, CheckResult.OK if found.reached else CheckResult.FAILED, found.description, found.remedy)


async def _token(findings: Findings, chosen: ResolvedCredentials) -> bool:
    if chosen.record:
        # Before it is used, and so replaced.
        await asyncio.to_thread(_sign_in, findings, chosen)
    refusal = await chosen.credentials.ensure_token()
    findings.claims = claims = chosen.claims
    if refusal:
        findings.add("token", CheckResult.FAILED, refusal)
    elif claims is None:
        words = "it is no JSON web token, so that it cannot be checked beforehand"
        findings.add("token", CheckResult.WARNING, words, "The harmless read below is the proof.")
    else:
        findings.add("token", CheckResult.OK, told(claims))
        if claims.app_only:
            words = (
                "the token is the app's alone, and Partner Center may refuse those for reactivations (900329, 900335)"
            )
            findings.add("kind of token", CheckResult.WARNING, words, "If it does, use --auth user: bulkreact login")
    return not refusal


def told(claims: Claims) -> str:
    """Say what a token says of itself."""
    who = "the app alone" if claims.app_only else f"{claims.user or 'a user'} through the app"
    mfa = "" if claims.app_only or claims.methods is None else ", signed in by " + " and ".join(claims.methods)
    parts = [f"{who} {claims.client_id}".strip() + mfa]
    if claims.tenant_id:
        parts.append(f"tenant {claims.tenant_id}")
    if claims.audiences:
        parts.append(f"for {claims.audiences[0]}")
    if claims.expires_at is not None:
        parts.append(f"good until {claims.expiry} ({(claims.expires_at - time.time()) / 60:.0f} min)")
    return "; ".join(parts)


def _sign_in(findings: Findings, chosen: ResolvedCredentials) -> None:
    from bulkreact.partnercenter.auth.sign_ins import REFRESH_TOKEN_DAYS, sign_in_for  # noqa: PLC0415 - MSAL takes 100 ms
    from bulkreact.partnercenter.auth.user_tokens import refreshed_at  # noqa: PLC0415

    if chosen.record is None:
        return
    try:
        at = refreshed_at(sign_in_for(state_folder(), chosen.identity), chosen.record)
    except BulkreactError as error:
        findings.add("sign-in", CheckResult.FAILED, str(error))
        return
    if at is None:
        findings.add("sign-in", CheckResult.FAILED, "its refresh token is gone", "Sign in again with: bulkreact login")
        return
    age = max(0.0, (datetime.now(UTC) - at).total_seconds() / 86_400)
    left = REFRESH_TOKEN_DAYS - age
    findings.refresh_token = RefreshTokenAge(round(age, 2), round(left, 2))
    words = (
        f"of {chosen.record.user or 'a user'} on {chosen.record.signed_in_at[:10]}, kept in a {chosen.record.store}; the refresh token is {age:.0f} days old, "
        f"{left:.0f} of {REFRESH_TOKEN_DAYS} days are left (every use begins them anew)"
    )
    if left < REFRESH_TOKEN_DAYS_LEFT:
        findings.add("sign-in", CheckResult.WARNING, words, "Use it, or sign in again with: bulkreact login")
    else:
        findings.add("sign-in", CheckResult.OK, words)


async def _read(findings: Findings, service: Service, chosen: ResolvedCredentials | None) -> None:
    tokens = chosen.credentials if chosen else StaticToken("simulated", now=time.time)
    claims = findings.claims
    tenant = chosen.identity.tenant_id if chosen else ""
    try:
        with locked(service, claims.tenant_id if claims and is_guid(claims.tenant_id) else tenant):
            request = build_customers_request(
                request_id=str(uuid4()),
                correlation_id=str(uuid4()),
                api_version=service.api_version,
            )
            async with connect(service, Limits(timeout=_READ_SECONDS), tokens) as client:
                began = time.monotonic()
                reply = await client.send(request)
                if isinstance(judge(Operation.LIST_CUSTOMERS, reply, now=datetime.now(UTC)), TokenRefused):
                    # As a run would do; a ready token is simply tried again.
                    await tokens.renew(began)
                    reply = await client.send(request)
    except InputRefusedError as error:
        findings.add("harmless read", CheckResult.FAILED, str(error))
        return
    except AlreadyRunningError as error:
        # Their pace is theirs: not even one call is made beside them.
        findings.add("harmless read", CheckResult.SKIPPED, str(error))
        return
    verdict = judge(Operation.LIST_CUSTOMERS, reply, now=datetime.now(UTC))
    if isinstance(verdict, Accepted):
        findings.add("harmless read", CheckResult.OK, "the list of customers was read")
    else:
        answer = verdict.answer
        status = f"HTTP {answer.http_status}, " if answer.http_status else ""
        advice = lookup(answer.http_status, answer.code).advice if answer.http_status else ""
        findings.add("harmless read", CheckResult.FAILED, f"{status}{answer.code}: {answer.description}", advice)
    if isinstance(reply, NoResponse):
        return
    _mfa(findings, reply)
    _clock(findings, reply)


def _mfa(findings: Findings, reply: Response) -> None:
    findings.is_mfa_compliant = mfa_compliance(reply)
    match findings.is_mfa_compliant:
        case True:
            findings.add(
                "MFA", CheckResult.OK, "Partner Center says that the sign-in meets its requirement (isMfaCompliant)"
            )
        case False:
            words = "Partner Center says that the sign-in does not meet its requirement (isMfaCompliant: false)"
            findings.add(
                "MFA", CheckResult.FAILED, words, "Sign in again with multi-factor authentication: bulkreact login"
            )
        case None:
            findings.add(
                "MFA", CheckResult.SKIPPED, "Partner Center said nothing of it, as is usual for an app's own token"
            )


def _clock(findings: Findings, reply: Response) -> None:
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        findings.add("clock", CheckResult.SKIPPED, "the answer has no date")
        return
    findings.clock_skew = skew = (datetime.now(UTC) - theirs).total_seconds()
    side = "ahead of" if skew > 0 else "behind"
    words = f"this machine's is {abs(skew):.0f} s {side} Partner Center's"
    if abs(skew) > CLOCK_SECONDS:
        findings.add(
            "clock",
            CheckResult.WARNING,
            words,
            "Set the clock (NTP): tokens would be taken for expired, or not yet good.",
        )
    else:
        findings.add("clock", CheckResult.OK, words)


def _described(chosen: ResolvedCredentials) -> str:
    match chosen.auth:
        case AuthMethod.TOKEN:
            return f"a ready token from {credentials.TOKEN_VARIABLE}; it cannot be renewed"
        case AuthMethod.APP:
            proof = chosen.secret.described() if chosen.secret else ""
            return f"the app {chosen.identity.client_id} alone, with its {proof}"
        case AuthMethod.USER:
            user = chosen.record.user if chosen.record else ""
            proof = f", with its {chosen.secret.described()}" if chosen.secret else ""
            return f"{user or 'a user'} through the app {chosen.identity.client_id}{proof}"


def _certificate(findings: Findings, chosen: ResolvedCredentials) -> None:
    if not isinstance(chosen.secret, Certificate):
        return
    begin, end = chosen.secret.validity()
    now = datetime.now(UTC)
    left = (end - now).days
    if begin > now:
        words = f"not good before {begin:%Y-%m-%d %H:%M} UTC"
        findings.add(
            "certificate", CheckResult.WARNING, words, "Wait, or use the one before it; check this machine's clock."
        )
    elif left < _CERTIFICATE_DAYS_LEFT:
        advice = "Make a new one, upload it to the app registration and put it in its place."
        findings.add("certificate", CheckResult.WARNING, f"good for another {left} days", advice)
    else:
        findings.add("certificate", CheckResult.OK, f"good for another {left} days")


def _folder(findings: Findings, name: str, folder: Path, remedy: str) -> None:
    """Write a file for an instant, in the folder or where the folder would be made."""
    place = folder.absolute()
    try:
        with _existing(place) as existing, tempfile.TemporaryFile(dir=existing) as handle:
            handle.write(b"x")
    except OSError as error:
        findings.add(name, CheckResult.FAILED, f"{folder} cannot be written: {error.strerror}", remedy)
    else:
        made = "" if place.is_dir() else ", will be made"
        findings.add(name, CheckResult.OK, f"{place} can be written{made}")


@contextmanager
def _existing(folder: Path) -> Iterator[Path]:
    yield next(one for one in (folder, *folder.parents) if one.exists())
