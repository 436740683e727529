"""Judges answers with a success status: whether they answer the call, and what they say. No I/O."""

from http import HTTPStatus

from bulkreact.guids import canonical_guid
from bulkreact.models import Answer, Operation, Response
from bulkreact.partnercenter import response_bodies, subscription
from bulkreact.partnercenter.error_codes.local_codes import UNREADABLE
from bulkreact.partnercenter.list_body import read_statuses
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.partnercenter.verdicts import Accepted, Listed, StatusRead, Transient, Verdict

UPDATES = frozenset({Operation.REACTIVATE_SUBSCRIPTION, Operation.RESTORE_AUTO_RENEW})
_WRITES = UPDATES | {Operation.REACTIVATE_ENTITLEMENT}
_READS_SUBSCRIPTION = frozenset({Operation.GET_SUBSCRIPTION, Operation.WATCH_SUBSCRIPTION, Operation.WATCH_OPERATION})


def judge_success(operation: Operation, response: Response, *, resource_id: str) -> Verdict:
    """Return the verdict on a 2xx; a resource counts only if it is the one with the canonical ``resource_id``."""
    body = response.body
    if operation is Operation.GET_ENTITLEMENT:
        entitlement = response_bodies.read_resource(body)
        if other_id := _other_id(entitlement.id, resource_id):
            return Transient(_of_other(response, other_id))
        return StatusRead(_success(response), entitlement.status) if entitlement.status else _unreadable(response)
    if operation is Operation.LIST_ENTITLEMENTS:
        statuses = read_statuses(body)
        return _unreadable(response) if statuses is None else Listed(_success(response), statuses)
    if operation in _READS_SUBSCRIPTION:
        # An operation has an id of its own.
        return _judge_subscription(response, "" if operation is Operation.WATCH_OPERATION else resource_id)
    if not response_bodies.is_json_or_empty(body):
        # The page of a proxy or a captive portal: the service may have been reached or not.
        return _unreadable(response, lost=True)
    return _judge_write(operation, response, resource_id) if operation in _WRITES else Accepted(_success(response))


def _judge_subscription(response: Response, resource_id: str) -> Verdict:
    resource = subscription.read(response.body)
    if resource is None:
        return _unreadable(response)
    if other_id := _other_id(resource.id, resource_id):
        return Transient(_of_other(response, other_id))
    return StatusRead(_success(response), resource.status, resource)


def _judge_write(operation: Operation, response: Response, resource_id: str) -> Verdict:
    """Return the verdict on a write: 200 comes with the resource, 202 perhaps with an operation."""
    resource = response_bodies.read_resource(response.body)
    other_id = _other_id(resource.id, resource_id)
    if other_id and response.status == HTTPStatus.OK:
        return Transient(_of_other(response, other_id), lost=True)
    if operation not in UPDATES:
        return Accepted(_success(response))
    active = resource.status == ACTIVE and not other_id
    return Accepted(_success(response), active=active, location=response.headers.get("location", ""))


def _other_id(read_id: str, resource_id: str) -> str:
    """Return the canonical id of a resource that is not the one asked for; empty if it is, or has no GUID."""
    read_guid = canonical_guid(read_id)
    return read_guid if resource_id and read_guid != resource_id else ""


def _success(response: Response) -> Answer:
    return Answer(response.status, "", "", business=True)


def _unreadable(response: Response, *, lost: bool = False) -> Transient:
    description = response_bodies.error_details(response.body, response.reason).description
    return Transient(Answer(response.status, UNREADABLE, description, business=False), lost=lost)


def _of_other(response: Response, other_id: str) -> Answer:
    return Answer(response.status, UNREADABLE, f"the answer is about another resource, {other_id}", business=False)
