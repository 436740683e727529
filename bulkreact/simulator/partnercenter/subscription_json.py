"""A subscription as JSON: every member of the real service, and some that clients do not expect."""

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from msgspec import Struct

from bulkreact.simulator.partnercenter.json_members import members

_NEVER = "9999-12-31T23:59:59.9999999Z"
# Spelled so that parsing and rewriting would change them.
_DELICATE = (
    r'"usage":{"share":0.30000000000000004,"weight":1.10,"scale":1E2,"serial":12345678901234567890,'
    r'"deep":[[],{},[{"when":"2024-02-29T23:59:59.1234567Z","path":"a\/b","none":null}],-0.0,1e-7]}'
)


class SubscriptionKind(StrEnum):
    """Licences, new commerce or legacy, or a plan for Azure subscriptions."""

    LICENCE = "licence"
    LEGACY = "legacy"
    AZURE_PLAN = "azure plan"


class JsonStyle(Enum):
    """How a resource is written: as the real service does today, or in a way that a client must tolerate."""

    TODAY = "today"
    PASCAL = "pascal"
    UTF16 = "utf-16"
    INDENTED = "indented"


class SubscriptionProfile(Struct, frozen=True):
    """A subscription's initial state; ``parent_id`` is empty without a parent."""

    kind: SubscriptionKind = SubscriptionKind.LICENCE
    status: str = "suspended"
    auto_renew: bool = False
    parent_id: str = ""
    name: str = "Caf\u00e9 Z\u00fcrich / Lager"
    offer: str = "B\u00fcro Plus"
    style: JsonStyle = JsonStyle.TODAY

    @property
    def offer_id(self) -> str:
        """Return the offer id: a GUID for legacy, else product, sku and availability."""
        match self.kind:
            case SubscriptionKind.AZURE_PLAN:
                return "DZH318Z0BPS6:0001:DZH318Z0BMGR"
            case SubscriptionKind.LEGACY:
                return "0FFE4000-0000-4000-8000-A0000000001A"
            case SubscriptionKind.LICENCE:
                return "CFQ7TTX0AB1C:0001:CFQ7TTX0ZY9D"


class SubscriptionState(Struct, frozen=True):
    """The changeable state of a subscription, and its position in the term, from 0 to 1."""

    status: str
    auto_renew: bool
    quantity: int
    version: int
    term_share: float
    has_next_term: bool = True


def etag(subscription_id: str, version: int) -> str:
    """Return the etag of a legacy subscription after a number of changes."""
    return base64.b64encode(f'{{"id":"{subscription_id[-12:]}","version":{version}}}'.encode()).decode()


def format_resource(
    profile: SubscriptionProfile, ids: tuple[str, str], state: SubscriptionState, today: datetime
) -> str:
    """Return a subscription in its style; ``ids`` are the customer's and its own."""
    text = _text(profile, ids, state, today)
    match profile.style:
        case JsonStyle.PASCAL:
            return _pascal(text)
        case JsonStyle.INDENTED:
            return "{\n  " + ",\n  ".join(f'"{member.name}" : {member.raw}' for member in members(text)) + "\n}"
        case JsonStyle.TODAY | JsonStyle.UTF16:
            return text


def encode(text: str, spelling: JsonStyle) -> bytes:
    """Encode a text in its style."""
    match spelling:
        case JsonStyle.UTF16:
            return b"\xff\xfe" + text.encode("utf-16-le")
        case JsonStyle.INDENTED:
            return text.encode()
        case JsonStyle.TODAY | JsonStyle.PASCAL:
            return text.encode("utf-8-sig")


def format_collection(uri: str, items: Sequence[str]) -> bytes:
    """Return a list of resources without pages."""
    link = f'{{"uri":{_string(uri)},"method":"GET","headers":[]}}'
    text = f'{{"totalCount":{len(items)},"items":[{",".join(items)}],"links":{{"self":{link}}},'
    return (text + '"attributes":{"objectType":"Collection"}}').encode("utf-8-sig")


def _text(profile: SubscriptionProfile, ids: tuple[str, str], state: SubscriptionState, today: datetime) -> str:
    customer_id, subscription_id = ids
    plan = profile.kind is SubscriptionKind.AZURE_PLAN
    parent = profile.parent_id
    uri = f"/customers/{customer_id}/subscriptions/"
    end = _end(profile, state.term_share, today)
    begin = today - timedelta(days=30 + int(state.term_share * 300))
    attributes = (
        f'"etag":{_string(etag(subscription_id, state.version))},' if profile.kind is SubscriptionKind.LEGACY else ""
    )
    suspended = state.status == "suspended"
    pairs = [
        f'"id":{_string(subscription_id.upper())}',
        f'"offerId":{_string(profile.offer_id)}',
        f'"entitlementId":{_string(_derived_id(subscription_id, "E"))}' if not plan else "",
        # As UTF-8, with the next one escaped.
        f'"offerName":{json.dumps("Azure plan" if plan else profile.offer, ensure_ascii=False)}',
        f'"friendlyName":{_string(profile.name)}'.replace("/", r"\/"),
        f'"productType":{_product_type(profile.kind)}',
        f'"quantity":{state.quantity}',
        f'"unitType":{_string("" if plan else "Licenses")}',
        '"hasPurchasableAddons":false',
        f'"parentSubscriptionId":{_string(parent.upper())}' if parent else "",
        f'"creationDate":"{begin:%Y-%m-%dT%H:%M:%S}.1234567Z"',
        f'"effectiveStartDate":"{begin:%Y-%m-%d}T00:00:00Z"',
        f'"commitmentEndDate":{_string(end[:10] + "T00:00:00Z")}',
        f'"commitmentEndDateTime":{_string(end)}' if profile.kind is not SubscriptionKind.LEGACY else "",
        f'"status":{_string(state.status)}',
        f'"autoRenewEnabled":{_bool(state.auto_renew)}',
        '"isTrial":false',
        f'"billingType":{_string("usage" if plan else "license")}',
        f'"billingCycle":{_string("none" if plan else "monthly")}',
        '"termDuration":"P1Y"' if profile.kind is SubscriptionKind.LICENCE else "",
        '"suspensionReasons":["CustomerCancellation"]' if suspended else "",
        '"actions":["edit","cancel"]' if not suspended else '"actions":[]',
        '"contractType":"subscription"',
        '"partnerId":null',
        _DELICATE,
        '"elasticity":1.10',
        '"allowance":12345678901234567890',
        _NEXT_TERM if profile.kind is SubscriptionKind.LICENCE and state.has_next_term else "",
        '"nextChargeInstructions":[]' if not plan else "",
        f'"links":{_links(uri, subscription_id, parent)}',
        f'"orderId":{_string(_derived_id(subscription_id, "0")[-17:].replace("-", ""))}',
        f'"attributes":{{{attributes}"objectType":"Subscription"}}',
    ]
    return "{" + ",".join(pair for pair in pairs if pair) + "}"


_NEXT_TERM = (
    '"scheduledNextTermInstructions":{"product":{"productId":"CFQ7TTX0AB1C","skuId":"0001","availabilityId":'
    '"CFQ7TTX0ZY9D","billingCycle":"Monthly","termDuration":"P1Y","promotionId":null},"quantity":7,'
    '"customTermEndDate":"2027-01-31T23:59:59.9999999Z"}'
)


def _product_type(kind: SubscriptionKind) -> str:
    match kind:
        case SubscriptionKind.AZURE_PLAN:
            return '{"id":"Azure","displayName":"Azure plan"}'
        case SubscriptionKind.LEGACY:
            return '{"id":"License","displayName":"License"}'
        case SubscriptionKind.LICENCE:
            return '{"id":"OnlineServicesNCE","displayName":"OnlineServicesNCE"}'


def _end(profile: SubscriptionProfile, share: float, today: datetime) -> str:
    """Return the end of the term: for every third licence within two weeks, for others later or never."""
    if profile.kind is SubscriptionKind.AZURE_PLAN or share > 0.85:  # noqa: PLR2004 - the shares are made up
        return _NEVER
    days = 1 + int(share * 38) if share < 0.34 else 20 + int(share * 700)  # noqa: PLR2004 - see above
    return f"{today + timedelta(days=days):%Y-%m-%d}T23:59:59.999Z"


def _links(uri: str, subscription_id: str, parent_id: str) -> str:
    own = f'"self":{{"uri":{_string(uri + subscription_id)},"method":"GET","headers":[]}}'
    parent = f'"parentSubscription":{{"uri":{_string(uri + parent_id)},"method":"GET","headers":[]}}'
    return "{" + (f"{parent},{own}" if parent_id else own) + "}"


def _pascal(text: str) -> str:
    """Return a text with names in PascalCase, as in older documentation, and with nulls."""
    # No string in a resource looks like a name with its colon.
    named = re.sub(r'"([a-z])(\w*)":', lambda match: f'"{match[1].upper()}{match[2]}":', text)
    return named[:-1] + ',"RefundOptions":null,"PromotionId":null,"CancellationAllowedUntilDate":null}'


def _derived_id(subscription_id: str, digit: str) -> str:
    """Return another id, always the same for this one."""
    return subscription_id[:14].upper() + digit + subscription_id[15:].upper()


def _string(text: str) -> str:
    return json.dumps(text)


def _bool(value: bool) -> str:
    return "true" if value else "false"
