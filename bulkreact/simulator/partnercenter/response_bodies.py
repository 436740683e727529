"""Response bodies: resources as compact JSON with a BOM, errors without one."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

# Id, domain, name.
Customer: TypeAlias = tuple[str, str, str]
_BOM = b"\xef\xbb\xbf"


def error_body(code: str, description: str) -> bytes:
    """Return the documented error shape; the code is a number on the wire, as from the real service."""
    return _compact({"code": int(code), "description": description, "data": [], "source": "PartnerFD"})


def throttle_body(seconds: float) -> bytes:
    """Return the gateway's body for a 429."""
    message = f"Rate limit is exceeded. Try again in {max(1, round(seconds))} seconds."
    return json.dumps({"statusCode": 429, "message": message}).encode()


def entitlement_body(subscription_id: str, entitlement_id: str, status: str, name: str) -> bytes:
    """Return one entitlement."""
    return _BOM + _compact(_entitlement(subscription_id, entitlement_id, status, name))


def entitlements_body(
    customer_id: str, subscription_id: str, statuses: Mapping[str, str], names: Mapping[str, str]
) -> bytes:
    """Return the collection of a subscription's entitlements, given as ids with their statuses and names."""
    # Links come without the version, as from the real service.
    uri = f"/customers/{customer_id}/subscriptions/{subscription_id}/azureEntitlements"
    content = {
        "totalCount": len(statuses),
        "items": [_entitlement(subscription_id, id_, status, names[id_]) for id_, status in statuses.items()],
        "links": {"self": link(uri, {})},
        "attributes": {"objectType": "Collection"},
    }
    return _BOM + _compact(content)


def customers_body(
    customers: Sequence[Customer], links: Mapping[str, object], *, token: str, total_count: int
) -> bytes:
    """Return a page of customers; ``token`` is for the next page, empty if its link has it or there is none."""
    content = {
        "totalCount": total_count,
        "items": [_customer(*customer) for customer in customers],
        **({"continuationToken": token} if token else {}),
        "links": links,
        "attributes": {"objectType": "Collection"},
    }
    return _BOM + _compact(content)


def link(uri: str, headers: Mapping[str, str]) -> dict[str, object]:
    """Return a link as in a resource, without the version."""
    return {"uri": uri, "method": "GET", "headers": [{"key": key, "value": value} for key, value in headers.items()]}


def _customer(customer_id: str, domain: str, name: str) -> dict[str, object]:
    return {
        "id": customer_id,
        "companyProfile": {
            "tenantId": customer_id,
            "domain": domain,
            "companyName": name,
            "attributes": {"objectType": "CustomerCompanyProfile"},
        },
        "relationshipToPartner": "reseller",
        "attributes": {"objectType": "Customer"},
    }


def _entitlement(subscription_id: str, entitlement_id: str, status: str, name: str) -> dict[str, object]:
    return {
        "id": entitlement_id.upper(),
        "friendlyName": name,
        "status": status,
        "subscriptionId": subscription_id,
        "attributes": {"objectType": "AzureEntitlement"},
    }


def _compact(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
