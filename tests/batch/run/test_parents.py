"""What a row does whose parent is not active: the decision tables, line by line."""

import pytest

from bulkreact.batch.policy import AwaitParent, Finish, RetryIn, Step
from bulkreact.batch.progress import Effect, OnlyRead, RowProgress, Sent, Unsent
from bulkreact.batch.run.dependencies import child_step, is_cycle, unsent_outcome
from bulkreact.batch.run.parents import ParentState, ParentSubscription, parent_state
from bulkreact.models import Answer, Call, Outcome, Status

OTHERWISE = Outcome(Status.DEFERRED, 1, None, "27009")
UNSENT = Outcome(Status.NOT_ATTEMPTED, 0, None, "parent-failed", reopen=True)
CALL = Call(1, "r", "c", "T", "T", Answer(409, "27009", "", business=True))


def parent(state: ParentState, status: Status | None = Status.FAILED, *, reopen: bool = False) -> ParentSubscription:
    return ParentSubscription(7, 8, "customer", "id", status, "2001", reopen, session=1, is_open=True, state=state)


FROM_PARENT = Finish(parent(ParentState.ENDED).child_outcome())


@pytest.mark.parametrize(
    ("state", "refused_before", "is_cycle", "step"),
    [
        (ParentState.ACTIVE, False, False, RetryIn(0)),
        (ParentState.ACTIVE, True, True, RetryIn(60)),
        (ParentState.ENDED, False, True, FROM_PARENT),
        (ParentState.ENDED, True, False, Finish(OTHERWISE)),
        (ParentState.OPEN, False, False, AwaitParent(OTHERWISE)),
        (ParentState.ACCEPTED, True, False, AwaitParent(OTHERWISE)),
        (ParentState.OPEN, False, True, RetryIn(0)),
        (ParentState.ACCEPTED, True, True, Finish(OTHERWISE)),
    ],
)
def test_what_a_row_does_whose_parent_must_be_active_first(
    state: ParentState, step: Step, *, refused_before: bool, is_cycle: bool
) -> None:
    assert step == child_step(
        parent(state), otherwise=OTHERWISE, refused_before=refused_before, is_cycle=is_cycle, retry_after=60
    )


@pytest.mark.parametrize(
    ("waits", "closes"), [({}, False), ({2: 3}, False), ({2: 1}, True), ({2: 3, 3: 1}, True), ({3: 1}, False)]
)
def test_a_row_must_not_wait_for_itself(waits: dict[int, int], *, closes: bool) -> None:
    assert is_cycle(waits, 1, 2) is closes


@pytest.mark.parametrize(
    ("status", "reopen", "ends"),
    [
        (Status.ACCEPTED, False, (Status.DEFERRED, "parent-not-active", False)),
        (Status.PENDING, False, (Status.DEFERRED, "parent-not-active", False)),
        (Status.UNKNOWN, False, (Status.NOT_ATTEMPTED, "parent-failed", True)),
        (Status.FAILED, False, (Status.NOT_ATTEMPTED, "parent-failed", False)),
        (Status.FAILED, True, (Status.NOT_ATTEMPTED, "parent-failed", True)),
    ],
)
def test_how_a_row_ends_whose_parent_does_not_become_active(
    status: Status, ends: tuple[Status, str, bool], *, reopen: bool
) -> None:
    outcome = parent(ParentState.ENDED, status, reopen=reopen).child_outcome()
    assert (outcome.status, outcome.code, outcome.reopen) == ends


@pytest.mark.parametrize(
    ("status", "seen_active", "is_open", "of_this_session", "state"),
    [
        (Status.ACCEPTED, True, True, True, ParentState.ACTIVE),
        (Status.REACTIVATED, False, False, False, ParentState.ACTIVE),
        (Status.ALREADY_ACTIVE, False, True, True, ParentState.ACTIVE),
        (None, False, True, False, ParentState.OPEN),
        (Status.UNKNOWN, False, True, False, ParentState.OPEN),
        (Status.UNKNOWN, False, True, True, ParentState.ENDED),
        (Status.ACCEPTED, False, True, True, ParentState.ACCEPTED),
        (Status.ACCEPTED, False, False, False, ParentState.ACCEPTED),
        (Status.FAILED, False, False, False, ParentState.ENDED),
    ],
)
def test_the_state_of_a_parent(
    status: Status | None, state: ParentState, *, seen_active: bool, is_open: bool, of_this_session: bool
) -> None:
    assert state is parent_state(status, seen_active=seen_active, is_open=is_open, of_this_session=of_this_session)


@pytest.mark.parametrize(
    ("progress", "status", "code"),
    [
        (RowProgress(), Status.NOT_ATTEMPTED, "parent-failed"),
        (RowProgress(stage=OnlyRead(CALL, 1, lost=False)), Status.NOT_ATTEMPTED, "parent-failed"),
        (RowProgress(stage=Sent(CALL, 1, Effect.ANSWERED)), Status.DEFERRED, "27009"),
        (RowProgress(stage=Sent(CALL, 1, Effect.LOST)), Status.UNKNOWN, "27009"),
        (RowProgress(stage=Unsent(lost=True)), Status.UNKNOWN, ""),
    ],
)
def test_a_row_that_was_sent_before_does_not_end_as_unsent(progress: RowProgress, status: Status, code: str) -> None:
    outcome = unsent_outcome(progress, UNSENT)
    assert (outcome.status, outcome.code, outcome.reopen) == (status, code, True)
