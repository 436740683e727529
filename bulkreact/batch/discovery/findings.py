"""What a discovery finds of one customer, and what it meets instead; pure."""

from dataclasses import dataclass
from typing import Self

from bulkreact.models import Call


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A subscription or an entitlement of one customer; ``azure_plan`` says so of the subscription."""

    subscription_id: str
    entitlement_id: str
    kind: str
    name: str
    offer: str
    status: str
    deadline: str
    azure_plan: bool


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """Why a customer could not be read, or an Azure plan of theirs; ``passing`` trouble may be gone later."""

    subscription_id: str
    transient: bool
    http_status: int | None
    code: str
    description: str
    request_id: str
    correlation_id: str

    @classmethod
    def of(cls, call: Call, *, subscription_id: str, passing: bool) -> Self:
        """Return what a call has met."""
        answer = call.answer
        words = answer.http_status, answer.code, answer.description
        return cls(subscription_id, passing, *words, call.request_id, call.correlation_id)
