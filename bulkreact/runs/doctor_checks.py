"""What ``bulkreact doctor`` checks: each thing that a run needs, one after the other."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import assert_never
from uuid import uuid4

from bulkreact.errors import AlreadyRunningError, BulkreactError, InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.models import NoResponse, Operation, Reply, Response
from bulkreact.partnercenter.auth.access import open_credentials, refresh_token_expires_at
from bulkreact.partnercenter.auth.access_tokens import RefreshingToken, StaticToken
from bulkreact.partnercenter.auth.credential_source import AppSource, CredentialSource, TokenSource, UserSource
from bulkreact.partnercenter.auth.sign_in_records import REFRESH_TOKEN_DAYS
from bulkreact.partnercenter.auth.token_claims import Claims
from bulkreact.partnercenter.client import connect
from bulkreact.partnercenter.error_codes.lookup import lookup
from bulkreact.partnercenter.network import check_trust, trust_source
from bulkreact.partnercenter.protocol import build_customers_request, judge, mfa_compliance
from bulkreact.partnercenter.reachability import check_reachability
from bulkreact.partnercenter.verdicts import Accepted, TokenRefused
from bulkreact.redaction import Redactor
from bulkreact.runs.findings import CheckResult, Findings, RefreshTokenAge
from bulkreact.runs.local_checks import check_certificate, check_folder, check_secret_files
from bulkreact.runs.partner_connection import start_simulator_if_needed
from bulkreact.runs.partner_lock import hold_partner_lock
from bulkreact.runs.state_dir import state_folder
from bulkreact.secret_variables import TOKEN_VARIABLE
from bulkreact.settings import Limits, Service
from bulkreact.timestamps import utc_now

CLOCK_SECONDS = 120.0
REFRESH_TOKEN_DAYS_LEFT = 14
_READ_SECONDS = 30.0
_DAY_SECONDS = 86_400


async def run_checks(
    service: Service, reports: Path, resolve: Callable[[], CredentialSource], redactor: Redactor
) -> Findings:
    """Check everything in the order in which a run needs it; the ``redactor`` learns the secrets that are met."""
    findings = Findings()
    check_folder(findings, "reports folder", reports, "Choose another with --reports.")
    check_folder(findings, "state folder", state_folder(), "Name another in BULKREACT_STATE_DIR.")
    tokens: StaticToken | RefreshingToken | None = None
    if service.simulated:
        findings.add("credentials", CheckResult.OK, "none are needed to practise")
    else:
        try:
            source = resolve()
            tokens = open_credentials(source, state_folder(), redactor)
            findings.source = source
            findings.add("credentials", CheckResult.OK, _describe_source(source))
            check_certificate(findings, source)
            check_secret_files(findings, source)
        except BulkreactError as error:
            findings.add("credentials", CheckResult.FAILED, str(error))
    await _check_online(findings, service, tokens, redactor)
    return findings


async def _check_online(
    findings: Findings, service: Service, tokens: StaticToken | RefreshingToken | None, redactor: Redactor
) -> None:
    async with start_simulator_if_needed(service) as called:
        try:
            await _check_network(findings, called)
        except BulkreactError as error:
            findings.add("network", CheckResult.FAILED, str(error))
            return
        if service.simulated:
            await _check_read(findings, called, StaticToken("simulated", now=time.time), Redactor())
        elif tokens and await _check_token(findings, tokens):
            await _check_read(findings, called, tokens, redactor)
        elif tokens:
            findings.add("harmless read", CheckResult.SKIPPED, "there is no token that could be used")


async def _check_network(findings: Findings, service: Service) -> None:
    check_trust()
    findings.add("trusted certificates", CheckResult.OK, trust_source().description)
    urls = {"Partner Center": service.base_url}
    if isinstance(findings.source, AppSource | UserSource):
        urls = {"token service": findings.source.identity.authority, **urls}
    for name, reached in zip(
        urls, await asyncio.gather(*(check_reachability(url) for url in urls.values())), strict=True
    ):
        result = CheckResult.OK if reached.reachable else CheckResult.FAILED
        findings.add(name, result, reached.description, reached.remedy)


async def _check_token(findings: Findings, tokens: StaticToken | RefreshingToken) -> bool:
    if isinstance(findings.source, UserSource):
        # Before the refresh token is used, and so replaced.
        await asyncio.to_thread(_check_sign_in, findings, findings.source)
    refusal = await tokens.ensure_token()
    findings.claims = claims = tokens.claims
    if refusal:
        findings.add("token", CheckResult.FAILED, refusal)
        return False
    if claims is None:
        message = "it is not a JWT, so it was not checked"
        findings.add("token", CheckResult.WARNING, message, "The harmless read below is the proof.")
        return True
    findings.add("token", CheckResult.OK, describe_claims(claims, now=time.time()))
    if claims.app_only:
        message = "the token is the app's alone, and Partner Center may refuse those for reactivations (900329, 900335)"
        findings.add("kind of token", CheckResult.WARNING, message, "If it does, use --auth user: bulkreact login")
    return True


def describe_claims(claims: Claims, *, now: float) -> str:
    """Return a token's claims as text; ``now`` counts seconds since 1970."""
    subject = "the app alone" if claims.app_only else f"{claims.user or 'a user'} through the app"
    mfa = "" if claims.app_only or claims.methods is None else ", signed in by " + " and ".join(claims.methods)
    parts = [f"{subject} {claims.client_id}".strip() + mfa]
    if claims.tenant_id:
        parts.append(f"tenant {claims.tenant_id}")
    if claims.audiences:
        parts.append(f"for {claims.audiences[0]}")
    if claims.expires_at is not None:
        parts.append(f"good until {claims.expiry} ({(claims.expires_at - now) / 60:.0f} min)")
    return "; ".join(parts)


def _check_sign_in(findings: Findings, source: UserSource) -> None:
    try:
        expires_at = refresh_token_expires_at(source, state_folder())
    except BulkreactError as error:
        findings.add("sign-in", CheckResult.FAILED, str(error))
        return
    if expires_at is None:
        findings.add("sign-in", CheckResult.FAILED, "its refresh token is gone", "Sign in again with: bulkreact login")
        return
    left = min(REFRESH_TOKEN_DAYS, (expires_at - utc_now()).total_seconds() / _DAY_SECONDS)
    age = REFRESH_TOKEN_DAYS - left
    findings.refresh_token = RefreshTokenAge(round(age, 2), round(left, 2))
    record = source.record
    message = (
        f"of {record.user or 'a user'} on {record.signed_in_at[:10]}, stored in a {record.store}; the refresh token is "
        f"{age:.0f} days old, {left:.0f} of {REFRESH_TOKEN_DAYS} days are left (every use starts them again)"
    )
    soon = left < REFRESH_TOKEN_DAYS_LEFT
    advice = "Use it, or sign in again with: bulkreact login" if soon else ""
    findings.add("sign-in", CheckResult.WARNING if soon else CheckResult.OK, message, advice)


async def _check_read(
    findings: Findings, service: Service, tokens: StaticToken | RefreshingToken, redactor: Redactor
) -> None:
    try:
        with hold_partner_lock(service, _tenant_of(findings)):
            reply = await _read_customers(service, tokens, redactor)
    except InputRefusedError as error:
        findings.add("harmless read", CheckResult.FAILED, str(error))
        return
    except AlreadyRunningError as error:
        # Another run uses the partner's call budget: make no call meanwhile.
        findings.add("harmless read", CheckResult.SKIPPED, str(error))
        return
    verdict = judge(Operation.LIST_CUSTOMERS, reply, now=utc_now())
    if isinstance(verdict, Accepted):
        findings.add("harmless read", CheckResult.OK, "the list of customers was read")
    else:
        answer = verdict.answer
        status = f"HTTP {answer.http_status}, " if answer.http_status else ""
        advice = lookup(answer.http_status, answer.code).advice if answer.http_status else ""
        findings.add("harmless read", CheckResult.FAILED, f"{status}{answer.code}: {answer.description}", advice)
    if not isinstance(reply, NoResponse):
        _check_mfa(findings, reply)
        _check_clock(findings, reply, now=utc_now())


def _tenant_of(findings: Findings) -> str:
    if findings.claims and is_guid(findings.claims.tenant_id):
        return findings.claims.tenant_id
    return findings.source.identity.tenant_id if findings.source else ""


async def _read_customers(service: Service, tokens: StaticToken | RefreshingToken, redactor: Redactor) -> Reply:
    """Read one customer; after a refused token once more with a new one, as a run does."""
    request = build_customers_request(
        request_id=str(uuid4()), correlation_id=str(uuid4()), api_version=service.api_version
    )
    async with connect(service, Limits(timeout=_READ_SECONDS), tokens, redactor) as client:
        began = time.monotonic()
        reply = await client.send(request)
        if isinstance(judge(Operation.LIST_CUSTOMERS, reply, now=utc_now()), TokenRefused):
            await tokens.renew(began)
            reply = await client.send(request)
        return reply


def _check_mfa(findings: Findings, response: Response) -> None:
    findings.is_mfa_compliant = compliant = mfa_compliance(response)
    if compliant is None:
        message = "Partner Center does not say, as is usual for an app's own token"
        findings.add("MFA", CheckResult.SKIPPED, message)
    elif compliant:
        message = "Partner Center says that the sign-in meets its requirement (isMfaCompliant)"
        findings.add("MFA", CheckResult.OK, message)
    else:
        message = "Partner Center says that the sign-in does not meet its requirement (isMfaCompliant: false)"
        advice = "Sign in again with multi-factor authentication: bulkreact login"
        findings.add("MFA", CheckResult.FAILED, message, advice)


def _check_clock(findings: Findings, response: Response, *, now: datetime) -> None:
    try:
        date = parsedate_to_datetime(response.headers.get("date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        findings.add("clock", CheckResult.SKIPPED, "the answer has no date")
        return
    findings.clock_skew = skew = (now - date).total_seconds()
    side = "ahead of" if skew > 0 else "behind"
    wrong = abs(skew) > CLOCK_SECONDS
    advice = "Set the clock (NTP): tokens would seem expired, or not yet valid." if wrong else ""
    message = f"this machine's is {abs(skew):.0f} s {side} Partner Center's"
    findings.add("clock", CheckResult.WARNING if wrong else CheckResult.OK, message, advice)


def _describe_source(source: CredentialSource) -> str:
    match source:
        case TokenSource():
            return f"a ready token from {TOKEN_VARIABLE}; it cannot be renewed"
        case AppSource():
            return f"the app {source.identity.client_id} alone, with its {source.secret.describe()}"
        case UserSource():
            secret = f", with its {source.secret.describe()}" if source.secret else ""
            return f"{source.record.user or 'a user'} through the app {source.identity.client_id}{secret}"
        case _:
            assert_never(source)
