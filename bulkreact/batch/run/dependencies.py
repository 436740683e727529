"""The rows of a run that wait for another row of it: when they go on, and how they end if they cannot."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from msgspec.structs import replace

from bulkreact.batch.dispatch.exchange import Wire
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.throttle import Scope
from bulkreact.batch.dispatch.worker_pool import Workers
from bulkreact.batch.environment import Edges
from bulkreact.batch.journal.pending_rows import OpenRows, Row
from bulkreact.batch.policy import PARENT_WAITS, Again, AwaitParent, Settle, Step, given_up
from bulkreact.batch.run.parents import Family, Parent, Standing
from bulkreact.batch.verify.poller import Ended, Host, Timetable, Watching
from bulkreact.batch.verify.watch_list import Group, Watched
from bulkreact.models import SUCCESSES, Outcome, Status
from bulkreact.partnercenter.verdicts import Accepted, CustomerRefused, Found, PermissionRefused, Verdict
from bulkreact.settings import Limits

Item = Row | Group


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears what becomes of rows that were never sent: one that is handed back, or many that are not in hand."""

    settled: Callable[[Row, Outcome], None]
    counted: Callable[[Outcome, int], None]
    give_up: Callable[[Item, Scope], Awaitable[None]]


class Dependants:
    """Lets rows wait for the subscriptions above them, which it watches for that if it must."""

    def __init__(
        self,
        family: Family,
        open_rows: OpenRows,
        workers: Workers[Item],
        *,
        wire: Wire,
        edges: Edges,
        limits: Limits,
        run_uuid: UUID,
        told: Told,
    ) -> None:
        self._family = family
        self._open_rows = open_rows
        self._queue: Queue[Item] = workers.queue
        self._wire = wire
        self._edges = edges
        self._limits = limits
        self._told = told
        queue = self._queue
        host = Host(
            queue.wait,
            queue.go_on,
            queue.done,
            workers.heed,
            workers.hold,
            told.give_up,
            workers.renew,
            workers.refuse,
            self._ended,
        )
        self._watching = Watching(host, wire=wire, edges=edges, attempts=limits.attempts, run_uuid=run_uuid)
        self._timetables: dict[int, Timetable] = {}

    async def begin(self) -> None:
        """Go on where an earlier process has left rows waiting."""
        for parent in self._family.settled_before():
            if parent.standing is Standing.ACCEPTED:
                self._watch(parent)
            else:
                await self._forsake(parent)

    async def call(self, group: Group) -> None:
        """Make the next call to see whether a subscription is active, unless nobody waits for it any more."""
        if self._is_awaited(group.place, group.customer_id):
            await self._watching.call(group, self._timetables[group.place])
        else:
            self._queue.done(group)

    def forget(self, groups: Iterable[Group]) -> None:
        """Take note that subscriptions are watched no longer, whoever may come to wait for them."""
        for group in groups:
            self._timetables.pop(group.place, None)

    def resolve(self, step: Step, row: Row, verdict: Verdict) -> tuple[Step, Parent | None]:
        """Return what a step comes to, with the subscription of this run that it waits for if it waits for one."""
        match step:
            case AwaitParent(otherwise=otherwise):
                parent = self._family.above(row, verdict)
                if parent is None or row.progress.parent_waits > PARENT_WAITS:
                    return Settle(otherwise), None
                return step, parent
            case Again() if isinstance(verdict, Found):
                parent = self._family.above(row, verdict)
                if parent and parent.standing is not Standing.ACTIVE:
                    return AwaitParent(parent.forsaken()), parent
                return step, None
            case _:
                return step, None

    async def wait(self, row: Row, parent: Parent, otherwise: Outcome) -> None:
        """Let a row in hand wait for its parent; ``otherwise`` is how it ends when that does not come back."""
        now = self._edges.monotonic()
        found = self._family.of_row(parent.ordinal) or parent
        if found.standing is Standing.ACTIVE:
            # Not known as such everywhere, if the service has just said otherwise.
            self._queue.wait(row, now + (self._limits.waiting.every if row.progress.parent_waits else 0.0))
        elif found.standing is Standing.ENDED:
            await self._settle([row], otherwise if row.progress.parent_waits else found.forsaken())
            self._queue.done(row)
        elif self._family.waits(row.ordinal, found.ordinal):
            row.subscription = None
            self._queue.park(row, found.ordinal)
            if found.standing is Standing.ACCEPTED:
                self._watch(found)
        elif row.progress.parent_waits:
            # They stand on each other: none of them will ever be the first.
            await self._settle([row], otherwise)
            self._queue.done(row)
        else:
            self._queue.go_on(row)

    async def settled(self, row: Row, outcome: Outcome, verdict: Verdict, *, may_reopen: bool) -> None:
        """Do what the end of a row, still in hand, means for those that wait for it.

        ``may_reopen`` says that a missing permission may turn out to be the account's fault, and the row be sent again.
        """
        if row.target.entitlement_id or outcome.reopen or not self._is_awaited(row.ordinal, row.customer_id):
            return
        if isinstance(verdict, CustomerRefused):
            # That ends all that was not sent of the customer, and in another way.
            return
        if outcome.status in SUCCESSES - {Status.ACCEPTED} or (isinstance(verdict, Accepted) and verdict.active):
            self._release(row.ordinal, row.customer_id)
        elif parent := self._family.of_row(row.ordinal):
            if parent.standing is Standing.ACCEPTED:
                self._watch(parent)
            else:
                again = may_reopen and isinstance(verdict, PermissionRefused)
                await self._forsake(replace(parent, reopen=parent.reopen or again))

    async def dropped(self, customer_id: str | None) -> None:
        """Look after the rows that wait for one which was settled without having been sent."""
        for ordinal in self._queue.awaited(customer_id):
            parent = self._family.of_row(ordinal)
            if parent and parent.standing is Standing.ENDED:
                await self._forsake(parent)

    async def stop(self) -> None:
        """Write down of the rows that wait for an accepted subscription that they do; the run ends before it is active."""
        parents = [parent for ordinal in self._timetables if (parent := self._family.of_row(ordinal))]
        waited = [(one.target, one.awaited()) for one in parents if one.standing is Standing.ACCEPTED]
        await self._wire.recorder.settle_below(*waited)

    def _is_awaited(self, ordinal: int, customer_id: str) -> bool:
        """Tell whether a row still waits for another: one that was never sent, or one that is parked."""
        unsent = self._open_rows.is_awaited(ordinal) and not self._queue.is_dropped(customer_id)
        return unsent or bool(self._queue.parked(customer_id, ordinal))

    def _release(self, ordinal: int, customer_id: str) -> None:
        self._family.seen_active(ordinal)
        for row in self._queue.parked(customer_id, ordinal):
            if isinstance(row, Row):
                self._family.goes_on(row.ordinal)
        self._queue.release(customer_id, ordinal)

    def _watch(self, parent: Parent) -> None:
        """Read an accepted subscription until it is active, once for all that wait for it."""
        if parent.ordinal in self._timetables:
            return
        timetable = self._timetables[parent.ordinal] = Timetable(self._limits.waiting, self._edges)
        self._queue.add(self._family.group(parent, due=timetable.first))

    async def _ended(self, ended: Sequence[Ended], left: Sequence[Watched]) -> None:
        for watched, outcome in ended:
            if outcome.status is Status.REACTIVATED:
                parent = self._family.of_row(watched.ordinal)
                self._release(watched.ordinal, parent.customer_id if parent else "")
        for watched in [*left, *(watched for watched, outcome in ended if outcome.status is not Status.REACTIVATED)]:
            if parent := self._family.of_row(watched.ordinal):
                await self._forsake(parent)

    async def _forsake(self, parent: Parent) -> None:
        """End the rows that wait for a subscription which does not come back."""
        outcome = parent.forsaken()
        self._told.counted(outcome, await self._wire.recorder.settle_below((parent.target, outcome)))
        rows = [one for one in self._queue.unpark(parent.customer_id, parent.ordinal) if isinstance(one, Row)]
        await self._settle(rows, outcome)

    async def _settle(self, rows: Sequence[Row], outcome: Outcome) -> None:
        """End rows, and whoever waits for them in turn."""
        ends = [(row, _end(row, outcome)) for row in rows]
        await self._wire.recorder.settle(*((row.ordinal, end) for row, end in ends))
        for row, end in ends:
            self._family.goes_on(row.ordinal)
            self._told.settled(row, end)
            if self._is_awaited(row.ordinal, row.customer_id) and (parent := self._family.of_row(row.ordinal)):
                await self._forsake(parent)


def _end(row: Row, outcome: Outcome) -> Outcome:
    """Return how a row ends that is not sent: one that was sent before stays what it was, and so does a lost call."""
    progress = row.progress
    was_sent = progress.lost or (progress.call is not None and not progress.only_read)
    return replace(given_up(progress), reopen=outcome.reopen) if was_sent else outcome
