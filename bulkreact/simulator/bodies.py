"""What the simulated service writes on the wire: resources in compact JSON behind a BOM, errors without one."""

import json
from collections.abc import Mapping

_BOM = b"\xef\xbb\xbf"
# Made up: id and domain, name.
_CUSTOMERS = {
    ("c0570000-0000-4000-8000-a00000000001", "adatum.example"): "A. Datum",
    ("c0570000-0000-4000-8000-a00000000002", "northwind.example"): "Northwind Bakery",
    ("c0570000-0000-4000-8000-a00000000003", "zuerich.example"): "Café Zürich",
}


def error_body(code: str, words: str) -> bytes:
    """Return the documented error shape; the code is a number on the wire, as the real service sends it."""
    return _compact({"code": int(code), "description": words, "data": [], "source": "PartnerFD"})


def throttle_body(seconds: float) -> bytes:
    """Return the gateway's own words for a 429."""
    message = f"Rate limit is exceeded. Try again in {max(1, round(seconds))} seconds."
    return json.dumps({"statusCode": 429, "message": message}).encode()


def entitlement_body(subscription_id: str, entitlement_id: str, status: str) -> bytes:
    """Return one entitlement."""
    return _BOM + _compact(_entitlement(subscription_id, entitlement_id, status))


def entitlements_body(customer_id: str, subscription_id: str, statuses: Mapping[str, str]) -> bytes:
    """Return the collection of a subscription's entitlements, given as ids with their statuses."""
    # Links come without the version in them, as on the real service.
    uri = f"/customers/{customer_id}/subscriptions/{subscription_id}/azureEntitlements"
    content = {
        "totalCount": len(statuses),
        "items": [_entitlement(subscription_id, one, status) for one, status in statuses.items()],
        "links": {"self": {"uri": uri, "method": "GET", "headers": []}},
        "attributes": {"objectType": "Collection"},
    }
    return _BOM + _compact(content)


def customers_body(size: int) -> bytes:
    """Return the first made-up customers, so many at most."""
    items = [_customer(*one, name) for one, name in list(_CUSTOMERS.items())[:size]]
    content = {
        "totalCount": len(items),
        "items": items,
        "links": {"self": {"uri": f"/customers?size={size}", "method": "GET", "headers": []}},
        "attributes": {"objectType": "Collection"},
    }
    return _BOM + _compact(content)


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


def _entitlement(subscription_id: str, entitlement_id: str, status: str) -> dict[str, object]:
    return {
        "id": entitlement_id.upper(),
        "friendlyName": "Azure subscription",
        "status": status,
        "subscriptionId": subscription_id,
        "attributes": {"objectType": "AzureEntitlement"},
    }


def _compact(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
