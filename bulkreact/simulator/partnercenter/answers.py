"""The possible answers of the simulated service: the documented refusals, the gateway's throttle, a proxy's page."""

from msgspec import Struct, field

from bulkreact.simulator.partnercenter.response_bodies import error_body, throttle_body

JSON = {"Content-Type": "application/json; charset=utf-8"}
PLAIN_JSON = {"Content-Type": "application/json"}
HTML_PAGE = {"Content-Type": "text/html"}
REFUSALS: dict[int, tuple[tuple[str, str], ...]] = {
    400: (
        ("900118", "Invalid Customer ID"),
        ("800002", "Invalid request input"),
        ("900337", "The partner is not able to reactivate this entitlement."),
        ("900280", "Update operations are currently not allowed for this subscription."),
        ("2011", "A deleted subscription can't be updated."),
        ("800096", "Can't update the status for this subscription"),
        ("800040", "Asset status can't be changed"),
        ("800091", "Can't update a subscription with suspended status"),
        ("800081", "Can't update a subscription before activating it"),
        ("900277", "The subscription is being expired."),
        ("900279", "Update operations are no longer allowed for this subscription."),
        ("900311", "This subscription has been updated too many times."),
        ("900307", "Invalid cancellation reason"),
        ("2001", "The quantity can't be changed while suspended"),
        ("2002", "The quantity isn't within the allowed range"),
        ("2054", "The billing cycle can't be updated"),
        ("3000", "Invalid property"),
    ),
    401: (
        ("800001", "Partner token missing in request context"),
        ("900420", "The token audience is no longer accepted."),
        ("900421", "Multi-factor authentication is required."),
    ),
    403: (
        ("900335", "No permission to reactivate this entitlement."),
        ("900159", "No reseller relationship with the customer."),
        ("20002", "No commerce relationship with the customer."),
        ("2032", "Access denied"),
        ("900150", "The supplied role doesn't have the rights."),
        ("900308", "Insufficient privileges."),
        ("900329", "Application-only authentication is not supported."),
        ("900309", "Blocked by Conditional Access policies."),
        ("90000", "The access policy does not allow token issuance."),
        ("800039", "Reseller program status isn't active"),
        ("900149", "Program status isn't active."),
        ("900124", "The Microsoft Partner Agreement isn't accepted."),
        ("900123", "The indirect reseller hasn't accepted the agreement."),
        ("800073", "The customer account is under review."),
        ("800074", "The customer account is under review."),
        ("800075", "The customer account wasn't approved."),
        ("900416", "The customer account is locked."),
        ("900263", "Not supported for legacy subscriptions."),
        ("800023", "The credit line is below the threshold."),
        ("900121", "Insufficient credit limit."),
    ),
    404: (
        ("800111", "Azure subscription with the given entitlement ID isn't found."),
        ("20003", "Subscription not found."),
        ("60003", "Tenant not found"),
        ("1000", "Not found"),
    ),
    409: (
        ("27009", "The parent subscription isn't active."),
        ("800082", "The subscription is not ready to be updated."),
        ("900278", "There is a pending operation on this subscription."),
    ),
}
TRANSIENT = {
    "800003": "Unexpected service error",
    "900192": "Something went wrong.",
    "800094": "Update not successful",
}
HTML = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>502</h1></body></html>"
GATEWAY_PAGE = b"<html><head><title>Blocked by the gateway</title></head><body><h1>Sorry</h1></body></html>"
# More than HTTP clients usually read of a header, and more headers than they read.
LONG_COOKIE = {"Set-Cookie": f"edge={'c' * 9000}"}
MANY_HEADERS = {f"X-Edge-{number}": "v" for number in range(150)}


class ScriptedAnswer(Struct, frozen=True):
    """One answer: whether the call takes effect first, the delay in seconds, and the response, or a dropped connection.

    ``throttle`` is whom a 429 blocks for ``seconds``: ``customer``, ``partner`` or only this call. ``from_gateway``: it
    carries none of the service's headers. ``names_call_before``: it carries the ids of the call that came before.
    ``surplus`` is written to the connection after it, unasked.
    """

    status: int = 202
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    effect: bool = False
    drop: bool = False
    delay: float = 0.0
    throttle: str = ""
    seconds: float = 0.0
    from_gateway: bool = False
    names_call_before: bool = False
    surplus: bytes = b""


def refusal(status: int, code: str, description: str = "") -> ScriptedAnswer:
    """Return a refusal in the documented shape, by default with the documented description."""
    description = description or dict(REFUSALS.get(status, ())).get(code, "")
    return ScriptedAnswer(status, error_body(code, description), PLAIN_JSON)


def throttle_answer(retry_after: str = "1", *, scope: str = "", seconds: float = 1) -> ScriptedAnswer:
    """Return the gateway's 429; ``scope`` is what else is blocked: ``customer``, ``partner`` or nothing."""
    headers = {**PLAIN_JSON, **({"Retry-After": retry_after} if retry_after else {})}
    return ScriptedAnswer(429, throttle_body(seconds), headers, throttle=scope, seconds=seconds)


def gateway_page(status: int) -> ScriptedAnswer:
    """Return a gateway's own page, without the service's headers."""
    return ScriptedAnswer(status, GATEWAY_PAGE, HTML_PAGE, from_gateway=True)
