"""The format of a journal, and the statements that write one."""

from collections.abc import Iterable
from importlib import resources

from bulkreact.partnercenter.protocol import CHANGES, STEPS

VERSION = 4


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def tables() -> str:
    """Return the script that creates the tables of a journal; CHECKs list the members of each enumeration."""
    return resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")


INSERT_ROW = (
    "INSERT INTO rows (ordinal, number, cells, customer_id, subscription_id, entitlement_id, problem_code, problem, "
    "request_id, of_read, lost, restore_auto_renew, deadline) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# A row with only cells and ids, as nearly all are.
INSERT_PLAIN_ROW = (
    "INSERT INTO rows (ordinal, number, cells, customer_id, subscription_id, entitlement_id, problem_code, problem, "
    "request_id, of_read, lost, restore_auto_renew, deadline) VALUES (?, ?, ?, ?, ?, ?, '', '', '', 0, 0, 0, '')"
)
INSERT_CALL = (
    "INSERT INTO calls (id, session, ordinal, operation, request_id, correlation_id, started_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
INSERT_ANSWER = (
    "INSERT INTO answers (call, finished_at, verdict, http_status, code, description, business, departed, lost, "
    "location) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_OUTCOME = (
    "INSERT INTO outcomes (session, ordinal, status, attempts, call, code, description, reopen, auto_renew) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# A table that runs of earlier versions do not have until they are continued.
CREATE_OUTAGES = """
CREATE TABLE IF NOT EXISTS outages (
    session INTEGER NOT NULL REFERENCES sessions (id),
    since TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    next_probe_at TEXT NOT NULL,
    probes INTEGER NOT NULL CHECK (probes >= 0),
    cause TEXT NOT NULL,
    PRIMARY KEY (session, since),
    CHECK (ended_at = '' OR next_probe_at = '')
) STRICT
"""
# A process that was killed in an outage makes no further probe.
FORGET_PROBES = "UPDATE outages SET next_probe_at = '' WHERE next_probe_at <> ''"
SAVE_OUTAGE = (
    "INSERT INTO outages (session, since, ended_at, next_probe_at, probes, cause) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (session, since) DO UPDATE SET ended_at = excluded.ended_at, next_probe_at = excluded.next_probe_at, "
    "probes = excluded.probes, cause = excluded.cause"
)
# Everything written while rows are sent, except statements that settle many rows at once.
APPENDS = frozenset({INSERT_CALL, INSERT_ANSWER, INSERT_OUTCOME})

CHANGE_NAMES = _quoted(CHANGES)
STEP_NAMES = _quoted(STEPS)
LATEST_OUTCOME = "(SELECT max(id) FROM outcomes WHERE outcomes.ordinal = {ordinal})"
# Polling does not count as sending a row.
BEGUN = f"EXISTS (SELECT 1 FROM calls WHERE calls.ordinal = rows.ordinal AND calls.operation IN ({STEP_NAMES}))"  # noqa: S608 - our own names

# Rows that could have been sent: without a recorded call, and not settled.
SETTLE_UNSENT = f"""
INSERT INTO outcomes (session, ordinal, status, attempts, call, code, description, reopen, auto_renew)
SELECT :session, ordinal, CASE WHEN lost THEN 'unknown' ELSE :status END, 0, NULL, :code, :description, :reopen, ''
FROM rows
WHERE problem_code = '' AND duplicate_of IS NULL AND left_out = 0 AND handed_to IS NULL
    AND NOT {BEGUN}
    AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.ordinal = rows.ordinal AND outcomes.reopen = 0)
"""  # noqa: S608 - our own names

SETTLE_UNSENT_OF_CUSTOMER = f"{SETTLE_UNSENT} AND customer_id = :customer"
INDEX_CUSTOMERS = "CREATE INDEX IF NOT EXISTS rows_of_customer ON rows (customer_id)"
SETTLE_UNSENT_BELOW = f"{SETTLE_UNSENT_OF_CUSTOMER} AND subscription_id = :subscription AND entitlement_id <> ''"

# Most files have no entitlement twice: sorting by that column only takes a third as long as by whole targets.
MARK_DUPLICATES = """
UPDATE rows SET duplicate_of = firsts.first FROM (
    SELECT ordinal, min(ordinal) OVER (PARTITION BY customer_id, subscription_id, entitlement_id) AS first
    FROM rows WHERE problem_code = '' AND entitlement_id IN (
        SELECT entitlement_id FROM rows WHERE problem_code = '' GROUP BY entitlement_id HAVING count(*) > 1
    )
) AS firsts
WHERE firsts.ordinal = rows.ordinal AND firsts.first < rows.ordinal
"""

# Parents are looked up only in runs with rows of subscriptions; these runs have the index.
FIND_SUBSCRIPTIONS = "SELECT EXISTS (SELECT 1 FROM rows WHERE entitlement_id = '')"
HAS_SUBSCRIPTIONS = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'subscriptions')"
INDEX_SUBSCRIPTIONS = (
    "CREATE INDEX subscriptions ON rows (customer_id, subscription_id) WHERE entitlement_id = ''",
    "CREATE INDEX rows_below ON rows (customer_id, subscription_id) WHERE entitlement_id <> ''",
)

# A later row of the same target may be the one that an earlier run has sent.
ADOPT_FROM_DUPLICATES = (
    """
UPDATE rows SET request_id = later.request_id, of_read = later.of_read FROM (
    SELECT min(ordinal), duplicate_of, request_id, of_read FROM rows
    WHERE duplicate_of IS NOT NULL AND request_id <> '' GROUP BY duplicate_of
) AS later
WHERE later.duplicate_of = rows.ordinal AND rows.request_id = ''
""",
    "UPDATE rows SET lost = 1 WHERE ordinal IN (SELECT duplicate_of FROM rows WHERE lost)",
)

# One request id must never name two targets: the service would answer the second with the first one's outcome.
SEPARATE_REQUEST_IDS = """
UPDATE rows SET request_id = '' FROM (
    SELECT ordinal, min(ordinal) OVER (PARTITION BY request_id) AS first
    FROM rows WHERE request_id <> '' AND duplicate_of IS NULL
) AS owners
WHERE owners.ordinal = rows.ordinal AND owners.first < rows.ordinal
"""

EXCLUDE_BY_LIMIT = """
UPDATE rows SET left_out = 1 WHERE problem_code = '' AND duplicate_of IS NULL AND ordinal >= (
    SELECT ordinal FROM rows WHERE problem_code = '' AND duplicate_of IS NULL ORDER BY ordinal LIMIT 1 OFFSET ?
)
"""
