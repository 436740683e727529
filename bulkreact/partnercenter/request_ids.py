"""Derives request ids that prove which call they belong to. No I/O.

A request id is a version 8 GUID (RFC 9562). Its first half is a nonce: derived from run, row, operation and sequence, so
that a call that is repeated after a crash has its old id. The second half is a hash of the nonce, the operation and the
target's ids: an id that was copied to another row, or whose row was given other ids, does not prove itself there.
"""

import hashlib
from uuid import UUID

from bulkreact.guids import format_guid
from bulkreact.models import Kind, Operation, Target

_VERSION = 8
# Those of earlier versions prove nothing.
_EARLIER_VERSION = 5
_HALF = 16
# The calls of a row whose request ids are in its results: the write, and the read before it.
_OPERATIONS = {
    Kind.AZURE: (Operation.REACTIVATE_ENTITLEMENT,),
    Kind.SUBSCRIPTION: (Operation.REACTIVATE_SUBSCRIPTION, Operation.GET_SUBSCRIPTION),
}


class RequestIds:
    """The request ids of one run; those of a run that an earlier version began are not ``certified``."""

    def __init__(self, run_uuid: UUID, *, certified: bool = True) -> None:
        self._name_space = hashlib.sha1(run_uuid.bytes, usedforsecurity=False)
        self._certified = certified

    def derive(self, ordinal: int, operation: Operation, target: Target, sequence: int) -> str:
        """Return the request id of a row's call; ``sequence`` counts the row's business answers of that kind."""
        digest = self._name_space.copy()
        digest.update(f"{ordinal}/{operation}/{sequence}".encode())
        digits = digest.hexdigest()
        return _certify(digits, operation, target) if self._certified else format_guid(digits, version=_EARLIER_VERSION)


def proven_operation(request_id: str, target: Target) -> Operation | None:
    """Return the call of a target that a canonical request id proves to belong to, None if it belongs to no such call."""
    nonce = request_id.replace("-", "")
    operations = _OPERATIONS[target.kind]
    return next((operation for operation in operations if _certify(nonce, operation, target) == request_id), None)


def may_prove(request_id: str) -> bool:
    """Return whether a canonical request id is of the version that proves its call, rather than of an earlier one."""
    return request_id[14:15] == str(_VERSION)


def _certify(digits: str, operation: Operation, target: Target) -> str:
    """Return the request id whose nonce has the first of some hexadecimal digits."""
    nonce = f"{digits[:12]}{_VERSION}{digits[13:_HALF]}"
    call = f"{nonce} {operation} {target.customer_id} {target.subscription_id} {target.entitlement_id}"
    certificate = hashlib.sha256(call.encode()).hexdigest()
    return format_guid(nonce + certificate[:_HALF], version=_VERSION)
