"""Builds the calls of the API and judges their answers. No I/O.

Sources: Microsoft's pages *Reactivate an Azure entitlement*, *Get an Azure entitlement*, *Get a list of Azure
entitlements*, *Reactivate a suspended subscription* and *Partner Center REST headers*. HTTP statuses and codes are known
only here and in the error codes.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.guids import is_guid
from bulkreact.models import Answer, Kind, NoResponse, Operation, Reply, Request, Response, Target
from bulkreact.partnercenter import response_bodies
from bulkreact.partnercenter.error_codes import lookup
from bulkreact.partnercenter.error_codes.entry import AnswerClass
from bulkreact.partnercenter.error_codes.lookup import gateway_code
from bulkreact.partnercenter.error_codes.service_codes import UNEXPECTED_REDIRECT
from bulkreact.partnercenter.retry_after import retry_after
from bulkreact.partnercenter.sent_ids import CORRELATION_ID, REQUEST_ID
from bulkreact.partnercenter.subscription import Subscription
from bulkreact.partnercenter.success import UPDATES, judge_success
from bulkreact.partnercenter.verdicts import (
    AmbiguousRefusal,
    Conflict,
    CustomerRefused,
    Fatal,
    NotReady,
    ParentInactive,
    PermissionRefused,
    Refused,
    Throttled,
    TokenRefused,
    Transient,
    TryLater,
    Verdict,
)

APPLICATION = "bulkreact"
# The calls that reactivate a target.
WRITES = frozenset({Operation.REACTIVATE_ENTITLEMENT, Operation.REACTIVATE_SUBSCRIPTION})
# All write calls.
CHANGES = WRITES | {Operation.RESTORE_AUTO_RENEW}
# The calls that settle a row: the writes, and the read before an update.
STEPS = WRITES | {Operation.GET_SUBSCRIPTION}
# The first call for a target.
FIRST_STEPS = {
    Kind.AZURE: Operation.REACTIVATE_ENTITLEMENT,
    Kind.SUBSCRIPTION: Operation.GET_SUBSCRIPTION,
}
_NOT_BUSINESS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_UNAVAILABLE = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
# No request was sent because there is no access token.
NO_TOKEN = "no-token"  # noqa: S105 - a code, no secret
INACTIVE = "inactive"
_CUSTOMERS = "/customers/"
_LOCATION_WORDS = {"customers", "subscriptions", "azureentitlements", "orders", "operations", "operationstatus"}
# The service sends at least one of them with each of its answers, gateways in front of it none.
_OWN_HEADERS = frozenset({"ms-requestid", "ms-correlationid", "ms-cv", "ms-serverid"})


class CallContext(Struct, frozen=True):
    """What some calls need besides their target: the resource as read, or the path of an operation."""

    subscription: Subscription | None = None
    location: str = ""


NO_CONTEXT = CallContext()


def common_headers(api_version: str, locale: str) -> dict[str, str]:
    """Return the headers common to all calls."""
    return {
        "Accept": "application/json",
        "MS-Contract-Version": api_version,
        "MS-PartnerCenter-Application": APPLICATION,
        "X-Locale": locale,
    }


def build_request(
    operation: Operation,
    target: Target,
    *,
    request_id: str,
    correlation_id: str,
    api_version: str = "v1",
    context: CallContext = NO_CONTEXT,
) -> Request:
    """Return the call for a target, whose ids must be canonical GUIDs: they become parts of the path."""
    subscription_path = f"/{api_version}/customers/{target.customer_id}/subscriptions/{target.subscription_id}"
    entitlements = f"{subscription_path}/azureEntitlements"
    entitlement = f"{entitlements}/{target.entitlement_id}"
    headers = _headers(request_id, correlation_id)
    body = b""
    match operation:
        case Operation.REACTIVATE_ENTITLEMENT:
            # Translated documentation pages translate this literal; the service does not.
            method, path = "POST", f"{entitlement}/reactivate"
        case Operation.GET_ENTITLEMENT:
            # The page's syntax table says POST; its example and the SDK use GET.
            method, path = "GET", entitlement
        case Operation.LIST_ENTITLEMENTS:
            method, path = "GET", entitlements
        case Operation.GET_SUBSCRIPTION | Operation.WATCH_SUBSCRIPTION:
            method, path = "GET", subscription_path
        case Operation.WATCH_OPERATION:
            method, path = "GET", f"/{api_version}{context.location}"
        case Operation.REACTIVATE_SUBSCRIPTION | Operation.RESTORE_AUTO_RENEW:
            method, path = "PATCH", subscription_path
            body = _update_body(operation, context, headers)
        case Operation.LIST_CUSTOMERS | Operation.LIST_SUBSCRIPTIONS:
            raise AssertionError(f"{operation} has no target")
        case _:
            assert_never(operation)
    return Request(operation, method, path, headers, body)


def build_customers_request(*, request_id: str, correlation_id: str, api_version: str) -> Request:
    """Return the call that reads one customer and asks whether the sign-in meets the MFA requirement."""
    headers = {**_headers(request_id, correlation_id), "ValidateMfa": "true"}
    return Request(Operation.LIST_CUSTOMERS, "GET", f"/{api_version}/customers?size=1", headers)


def build_listing_request(
    operation: Operation,
    path: str,
    *,
    request_id: str,
    correlation_id: str,
    api_version: str = "v1",
) -> Request:
    """Return the call that reads a page of a list; ``path`` has neither a leading slash nor the version."""
    return Request(operation, "GET", f"/{api_version}/{path}", _headers(request_id, correlation_id))


def mfa_compliance(response: Response) -> bool | None:
    """Return whether the service reports that the sign-in meets the MFA requirement, None if it does not say."""
    return {"true": True, "false": False}.get(response.headers.get("ismfacompliant", "").strip().lower())


def judge(operation: Operation, reply: Reply, *, now: datetime, resource_id: str = "") -> Verdict:
    """Return the verdict on a response, for every status and any bytes.

    ``now`` is the aware time against which a ``Retry-After`` date without a ``Date`` is read; ``resource_id`` is the
    canonical id of the resource that was asked for: another one is no answer.
    """
    if isinstance(reply, NoResponse):
        answer = Answer(None, reply.code, reply.description, business=False)
        unavailable = reply.code != NO_TOKEN and not reply.refused
        return Transient(answer, lost=reply.sent, sent=reply.sent, unavailable=unavailable, way_refused=reply.refused)
    if 200 <= reply.status < 300:  # noqa: PLR2004
        return judge_success(operation, reply, resource_id=resource_id)
    if 300 <= reply.status < 400:  # noqa: PLR2004
        description = "the answer is a redirect, which is never followed"
        return Refused(Answer(reply.status, UNEXPECTED_REDIRECT, description, business=False))
    return _judge_error(operation, reply, now)


def is_business(status: int) -> bool:
    """Return whether an HTTP status ends the request id: 2xx, or 4xx other than 401, 408 and 429."""
    return 200 <= status < 300 or (400 <= status < 500 and status not in _NOT_BUSINESS)  # noqa: PLR2004


def is_from_service(headers: Mapping[str, str]) -> bool:
    """Return whether an answer comes from the service itself, by the lower-case names of its headers."""
    return any(name in headers for name in _OWN_HEADERS)


def path_of_location(location: str, base_url: str, api_version: str) -> str:
    """Return the path of a Location below the version, empty unless it is one of a customer at this host.

    Locations come without the version, some without the slash, some as a whole URL. Only known words and GUIDs are kept,
    and no query: a Location may repeat what was sent.
    """
    base = base_url.rstrip("/")
    path = location.strip()
    if path.lower().startswith(f"{base.lower()}/"):
        path = path[len(base) :]
    path = path if path.startswith("/") else f"/{path}"
    return safe_location(path.removeprefix(f"/{api_version}"))


def safe_location(path: str) -> str:
    """Return the path of a Location without its query, empty unless it has only known words and GUIDs below a customer."""
    path = path.partition("?")[0].partition("#")[0]
    known = all(part.lower() in _LOCATION_WORDS or is_guid(part) for part in path.removesuffix("/").split("/")[1:])
    return path if known and path.lower().startswith(_CUSTOMERS) else ""


def _update_body(operation: Operation, context: CallContext, headers: dict[str, str]) -> bytes:
    """Return the body of an update, and add its headers."""
    resource = context.subscription
    if resource is None:
        raise AssertionError("an update needs the resource that was read")
    headers["Content-Type"] = "application/json"
    if resource.etag:
        headers["If-Match"] = resource.etag
    return (
        resource.body_with_status_active
        if operation is Operation.REACTIVATE_SUBSCRIPTION
        else resource.body_with_auto_renew
    )


def _headers(request_id: str, correlation_id: str) -> dict[str, str]:
    return {REQUEST_ID: request_id, CORRELATION_ID: correlation_id}


def _judge_error(operation: Operation, response: Response, now: datetime) -> Verdict:
    if _is_gateway_page(response):
        code, title = gateway_code(response.status), response_bodies.page_title(response.body)
        return Transient(Answer(response.status, code, title, business=False), by_gateway=True)
    details = response_bodies.error_details(response.body, response.reason)
    code = details.code
    if not code and not response.body.strip() and _names_invalid_token(response):
        code = "invalid_token"
    entry = lookup.lookup(response.status, code)
    answer = Answer(
        response.status,
        code or lookup.generic_code(response.status),
        details.description or entry.description,
        business=is_business(response.status),
    )
    if entry.answer_class is AnswerClass.THROTTLED:
        return Throttled(answer, retry_after(response, now))
    verdict = _verdict(operation, answer, entry.answer_class or AnswerClass.PERMANENT)
    if isinstance(verdict, Transient):
        read_first = operation in UPDATES and entry.read_first
        unavailable = response.status in _UNAVAILABLE
        wait = retry_after(response, now) if response.status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return replace(verdict, read_first=read_first, unavailable=unavailable, retry_after=wait)
    return verdict


def _is_gateway_page(response: Response) -> bool:
    """Return whether a gateway refused the call with a page or text of its own."""
    refused = is_business(response.status) and response.status >= HTTPStatus.BAD_REQUEST
    return refused and not is_from_service(response.headers) and not response_bodies.is_json_or_empty(response.body)


def _verdict(operation: Operation, answer: Answer, answer_class: AnswerClass) -> Verdict:  # noqa: C901, PLR0911 - one line a class
    match answer_class:
        case AnswerClass.CHECK if operation is Operation.REACTIVATE_ENTITLEMENT:
            return AmbiguousRefusal(answer)
        case AnswerClass.CONFLICT if operation in UPDATES:
            return Conflict(answer)
        case AnswerClass.PERMANENT | AnswerClass.CHECK | AnswerClass.CONFLICT | AnswerClass.DONE:
            return Refused(answer)
        case AnswerClass.CUSTOMER:
            return CustomerRefused(answer)
        case AnswerClass.PERMISSION:
            return PermissionRefused(answer)
        case AnswerClass.RETRY | AnswerClass.RETRY_ONCE | AnswerClass.THROTTLED:
            lost = answer.http_status == HTTPStatus.GATEWAY_TIMEOUT
            return Transient(answer, lost=lost, retry_once=answer_class is AnswerClass.RETRY_ONCE)
        case AnswerClass.NOT_READY:
            return NotReady(answer)
        case AnswerClass.PARENT:
            return ParentInactive(answer)
        case AnswerClass.LATER:
            return TryLater(answer)
        case AnswerClass.TOKEN:
            return TokenRefused(answer)
        case AnswerClass.FATAL:
            return Fatal(answer)
        case _:
            assert_never(answer_class)


def _names_invalid_token(response: Response) -> bool:
    challenge = response.headers.get("www-authenticate", "").lower()
    return response.status == HTTPStatus.UNAUTHORIZED and "invalid_token" in challenge and "bearer" in challenge
