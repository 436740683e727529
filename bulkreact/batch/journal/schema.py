"""The tables of a journal: one record per input row, calls and answers appended, the state derived from them."""

from collections.abc import Iterable

from bulkreact.models import AutoRenew, Operation, RunState, Status
from bulkreact.partnercenter.protocol import CHANGES, STEPS

VERSION = 4


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


_GUID = "________-____-____-____-____________"

TABLES = f"""
CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    uuid TEXT NOT NULL CHECK (uuid LIKE '{_GUID}'),
    version TEXT NOT NULL,
    command TEXT NOT NULL,
    operator TEXT NOT NULL,
    created_at TEXT NOT NULL,
    input_name TEXT NOT NULL,
    input_sha256 TEXT NOT NULL CHECK (length(input_sha256) = 64),
    header TEXT NOT NULL CHECK (json_valid(header)),
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    row_limit INTEGER CHECK (row_limit >= 0),
    cloud TEXT NOT NULL,
    base_url TEXT NOT NULL,
    api_version TEXT NOT NULL,
    tenant_id TEXT,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    from_spreadsheet INTEGER NOT NULL CHECK (from_spreadsheet IN (0, 1)),
    retry_of TEXT
) STRICT;

CREATE TABLE rows (
    ordinal INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    cells TEXT NOT NULL CHECK (json_valid(cells)),
    customer_id TEXT CHECK (customer_id LIKE '{_GUID}'),
    subscription_id TEXT CHECK (subscription_id LIKE '{_GUID}'),
    entitlement_id TEXT CHECK (entitlement_id = '' OR entitlement_id LIKE '{_GUID}'),
    problem_code TEXT NOT NULL,
    problem TEXT NOT NULL,
    request_id TEXT NOT NULL CHECK (request_id = '' OR request_id LIKE '{_GUID}'),
    of_read INTEGER NOT NULL CHECK (of_read IN (0, 1)),
    lost INTEGER NOT NULL CHECK (lost IN (0, 1)),
    restore_auto_renew INTEGER NOT NULL CHECK (restore_auto_renew IN (0, 1)),
    deadline TEXT NOT NULL,
    duplicate_of INTEGER REFERENCES rows (ordinal) CHECK (duplicate_of < ordinal),
    left_out INTEGER NOT NULL DEFAULT 0 CHECK (left_out IN (0, 1)),
    handed_to TEXT,
    CHECK ((problem_code = '') = (customer_id IS NOT NULL)),
    CHECK ((customer_id IS NULL) = (subscription_id IS NULL)),
    CHECK ((customer_id IS NULL) = (entitlement_id IS NULL)),
    CHECK (duplicate_of IS NULL OR customer_id IS NOT NULL)
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    version TEXT NOT NULL,
    process_id INTEGER NOT NULL,
    configured_per_minute REAL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    state TEXT CHECK (state IN ({_words(RunState)})),
    exit_code INTEGER,
    reason TEXT,
    CHECK ((ended_at IS NULL) = (state IS NULL)),
    CHECK ((ended_at IS NULL) = (exit_code IS NULL))
) STRICT;

CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id),
    ordinal INTEGER NOT NULL REFERENCES rows (ordinal),
    operation TEXT NOT NULL CHECK (operation IN ({_words(Operation)})),
    request_id TEXT NOT NULL CHECK (request_id LIKE '{_GUID}'),
    correlation_id TEXT NOT NULL CHECK (correlation_id LIKE '{_GUID}'),
    started_at TEXT NOT NULL
) STRICT;
CREATE INDEX calls_of_row ON calls (ordinal);

CREATE TABLE answers (
    call INTEGER PRIMARY KEY REFERENCES calls (id),
    finished_at TEXT NOT NULL,
    verdict TEXT NOT NULL,
    http_status INTEGER,
    code TEXT NOT NULL,
    description TEXT NOT NULL CHECK (length(description) <= 1024),
    business INTEGER NOT NULL CHECK (business IN (0, 1)),
    departed INTEGER NOT NULL CHECK (departed IN (0, 1)),
    lost INTEGER NOT NULL CHECK (lost IN (0, 1)),
    location TEXT NOT NULL,
    CHECK (NOT (business AND lost)),
    CHECK (http_status IS NOT NULL OR NOT business)
) STRICT;

CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id),
    ordinal INTEGER NOT NULL REFERENCES rows (ordinal),
    status TEXT NOT NULL CHECK (status IN ({_words(Status)})),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    call INTEGER REFERENCES calls (id),
    code TEXT NOT NULL,
    description TEXT NOT NULL CHECK (length(description) <= 1024),
    reopen INTEGER NOT NULL CHECK (reopen IN (0, 1)),
    auto_renew TEXT NOT NULL CHECK (auto_renew IN ({_words(AutoRenew)})),
    CHECK (status NOT IN ('accepted', 'already_active') OR (call IS NOT NULL AND code = '')),
    CHECK (status <> 'reactivated' OR code = '')
) STRICT;
CREATE INDEX outcomes_of_row ON outcomes (ordinal);

PRAGMA user_version = {VERSION};
"""

INSERT_ROW = (
    "INSERT INTO rows (ordinal, number, cells, customer_id, subscription_id, entitlement_id, problem_code, problem, "
    "request_id, of_read, lost, restore_auto_renew, deadline) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# A row that has nothing but its cells and its ids, as nearly all of them.
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
# What is written while rows are sent, apart from what settles many of them at once.
APPENDS = frozenset({INSERT_CALL, INSERT_ANSWER, INSERT_OUTCOME})

CHANGE_WORDS = _words(CHANGES)
STEP_WORDS = _words(STEPS)
LATEST_OUTCOME = "(SELECT max(id) FROM outcomes WHERE outcomes.ordinal = {ordinal})"
# A row that was only watched has not begun.
BEGUN = f"EXISTS (SELECT 1 FROM calls WHERE calls.ordinal = rows.ordinal AND calls.operation IN ({STEP_WORDS}))"  # noqa: S608 - our own names

# Rows that could be sent and were not: no call of theirs is on record, and nothing has settled them.
SETTLE_UNSENT = f"""
INSERT INTO outcomes (session, ordinal, status, attempts, call, code, description, reopen, auto_renew)
SELECT :session, ordinal, CASE WHEN lost THEN 'unknown' ELSE :status END, 0, NULL, :code, :description, :reopen, ''
FROM rows
WHERE problem_code = '' AND duplicate_of IS NULL AND left_out = 0 AND handed_to IS NULL
    AND NOT {BEGUN}
    AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.ordinal = rows.ordinal AND outcomes.reopen = 0)
"""  # noqa: S608 - our own names

SETTLE_UNSENT_OF_CUSTOMER = f"{SETTLE_UNSENT} AND customer_id = :customer"
SETTLE_UNSENT_BELOW = f"{SETTLE_UNSENT_OF_CUSTOMER} AND subscription_id = :subscription AND entitlement_id <> ''"

# Most files have no entitlement twice: sorting them by that alone takes a third as long as by whole targets.
MARK_DUPLICATES = """
UPDATE rows SET duplicate_of = firsts.first FROM (
    SELECT ordinal, min(ordinal) OVER (PARTITION BY customer_id, subscription_id, entitlement_id) AS first
    FROM rows WHERE problem_code = '' AND entitlement_id IN (
        SELECT entitlement_id FROM rows WHERE problem_code = '' GROUP BY entitlement_id HAVING count(*) > 1
    )
) AS firsts
WHERE firsts.ordinal = rows.ordinal AND firsts.first < rows.ordinal
"""

# Rows below a subscription are looked for only where there are rows of subscriptions; the index tells, once it is made.
FIND_SUBSCRIPTIONS = "SELECT EXISTS (SELECT 1 FROM rows WHERE entitlement_id = '')"
HAS_SUBSCRIPTIONS = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'subscriptions')"
INDEX_SUBSCRIPTIONS = (
    "CREATE INDEX subscriptions ON rows (customer_id, subscription_id) WHERE entitlement_id = ''",
    "CREATE INDEX rows_below ON rows (customer_id, subscription_id) WHERE entitlement_id <> ''",
)

# One request id must never name two targets: the service would answer the second with the first one's outcome.
SEPARATE_REQUEST_IDS = """
UPDATE rows SET request_id = '' WHERE request_id <> '' AND request_id IN (
    SELECT request_id FROM rows WHERE request_id <> '' AND duplicate_of IS NULL GROUP BY request_id HAVING count(*) > 1
)
"""

LEAVE_OUT = """
UPDATE rows SET left_out = 1 WHERE problem_code = '' AND duplicate_of IS NULL AND ordinal >= (
    SELECT ordinal FROM rows WHERE problem_code = '' AND duplicate_of IS NULL ORDER BY ordinal LIMIT 1 OFFSET ?
)
"""
