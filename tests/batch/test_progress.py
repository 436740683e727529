"""How far a row has come after each call: pure, every transition is a line here."""

import pytest

from bulkreact.batch.progress import Effect, OnlyRead, RowProgress, Sent, Stage, Unsent, advance
from bulkreact.models import Operation
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import Verdict
from tests.support.row_verdicts import (
    ACCEPTED,
    ACTIVE,
    AMBIGUOUS,
    CONFLICT,
    EARLIER,
    LOST,
    NOT_READY,
    READ,
    READ_FIRST,
    REDIRECT,
    REFUSED,
    SUSPENDED,
    UNAVAILABLE,
    UNREACHABLE,
    UPDATE,
    WRITE,
    answer,
    call_with,
)


@pytest.mark.parametrize(
    ("stage", "operation", "verdict", "expected"),
    [
        (Unsent(), READ_FIRST, SUSPENDED, OnlyRead(call_with(SUSPENDED), 1, lost=False)),
        (Unsent(lost=True), READ_FIRST, SUSPENDED, OnlyRead(call_with(SUSPENDED), 1, lost=True)),
        (OnlyRead(EARLIER, 2, lost=True), READ_FIRST, UNREACHABLE, OnlyRead(call_with(UNREACHABLE), 2, lost=True)),
        (Sent(EARLIER, 1, Effect.LOST), READ_FIRST, SUSPENDED, Sent(EARLIER, 1, Effect.LOST)),
        (Unsent(), WRITE, ACCEPTED, Sent(call_with(ACCEPTED), 1, Effect.ANSWERED)),
        (Unsent(), WRITE, UNREACHABLE, Sent(call_with(UNREACHABLE), 0, Effect.ANSWERED)),
        (Unsent(), WRITE, LOST, Sent(call_with(LOST), 1, Effect.LOST)),
        (Unsent(lost=True), WRITE, UNAVAILABLE, Sent(call_with(UNAVAILABLE), 1, Effect.LOST)),
        (OnlyRead(EARLIER, 3, lost=False), WRITE, REFUSED, Sent(call_with(REFUSED), 1, Effect.ANSWERED)),
        (Sent(EARLIER, 1, Effect.ANSWERED), WRITE, UNAVAILABLE, Sent(call_with(UNAVAILABLE), 2, Effect.MAY_HAVE_ACTED)),
        (Sent(EARLIER, 1, Effect.MAY_HAVE_ACTED), WRITE, ACCEPTED, Sent(call_with(ACCEPTED), 2, Effect.ANSWERED)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, REFUSED, Sent(call_with(REFUSED), 2, Effect.ANSWERED)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, AMBIGUOUS, Sent(call_with(AMBIGUOUS), 2, Effect.LOST)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, NOT_READY, Sent(call_with(NOT_READY), 2, Effect.LOST)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, REDIRECT, Sent(call_with(REDIRECT), 2, Effect.LOST)),
        (Sent(EARLIER, 1, Effect.LOST), UPDATE, REFUSED, Sent(call_with(REFUSED), 2, Effect.LOST)),
    ],
)
def test_every_call_moves_the_row_to_its_stage(
    stage: Stage, operation: Operation, verdict: Verdict, expected: Stage
) -> None:
    assert advance(RowProgress(operation, stage=stage), verdict, call_with(verdict)).stage == expected


@pytest.mark.parametrize(
    ("stage", "operation", "verdict", "expected"),
    [
        (Unsent(), WRITE, AMBIGUOUS, READ),
        (Unsent(), READ_FIRST, SUSPENDED, UPDATE),
        (Unsent(), READ_FIRST, ACTIVE, READ_FIRST),
        (Unsent(), UPDATE, CONFLICT, READ_FIRST),
        (Unsent(), UPDATE, verdicts.Transient(answer(500), read_first=True), READ_FIRST),
        (Unsent(), UPDATE, REFUSED, UPDATE),
        (Sent(EARLIER, 1, Effect.LOST), UPDATE, REFUSED, READ_FIRST),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, REFUSED, WRITE),
        (Sent(EARLIER, 1, Effect.LOST), READ, ACTIVE, READ),
    ],
)
def test_every_verdict_has_its_next_operation(
    stage: Stage, operation: Operation, verdict: Verdict, expected: Operation
) -> None:
    assert advance(RowProgress(operation, stage=stage), verdict, call_with(verdict)).operation is expected
