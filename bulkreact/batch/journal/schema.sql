-- The journal of a run, format 5: one record per input row; calls, answers and outcomes are only appended.
-- Each record has a checksum over all its other values, except the id of an outcome, which only orders them.

CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    uuid TEXT NOT NULL CHECK (uuid LIKE '________-____-____-____-____________'),
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

-- Earlier versions made none, and do not look for one.
CREATE TABLE settings (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;

CREATE TABLE rows (
    ordinal INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    cells TEXT NOT NULL CHECK (json_valid(cells)),
    customer_id TEXT CHECK (customer_id LIKE '________-____-____-____-____________'),
    subscription_id TEXT CHECK (subscription_id LIKE '________-____-____-____-____________'),
    entitlement_id TEXT CHECK (entitlement_id = '' OR entitlement_id LIKE '________-____-____-____-____________'),
    problem_code TEXT NOT NULL,
    problem TEXT NOT NULL,
    request_id TEXT NOT NULL CHECK (request_id = '' OR request_id LIKE '________-____-____-____-____________'),
    of_read INTEGER NOT NULL CHECK (of_read IN (0, 1)),
    lost INTEGER NOT NULL CHECK (lost IN (0, 1)),
    restore_auto_renew INTEGER NOT NULL CHECK (restore_auto_renew IN (0, 1)),
    deadline TEXT NOT NULL,
    duplicate_of INTEGER REFERENCES rows (ordinal) CHECK (duplicate_of < ordinal),
    left_out INTEGER NOT NULL DEFAULT 0 CHECK (left_out IN (0, 1)),
    handed_to TEXT,
    checksum INTEGER NOT NULL,
    CHECK ((problem_code = '') = (customer_id IS NOT NULL)),
    CHECK ((customer_id IS NULL) = (subscription_id IS NULL)),
    CHECK ((customer_id IS NULL) = (entitlement_id IS NULL)),
    CHECK (duplicate_of IS NULL OR customer_id IS NOT NULL)
) STRICT;

-- Most rows are only targets: what looks for other ones need not read all. Earlier versions made no such index.
CREATE INDEX special_rows ON rows (ordinal)
    WHERE problem_code <> '' OR duplicate_of IS NOT NULL OR left_out OR handed_to IS NOT NULL OR lost;

-- What cells of a workbook are besides text, where that changes. Journals of earlier versions have no such table.
CREATE TABLE typed_cells (
    ordinal INTEGER PRIMARY KEY REFERENCES rows (ordinal),
    cells TEXT NOT NULL CHECK (json_valid(cells)),
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    version TEXT NOT NULL,
    process_id INTEGER NOT NULL,
    configured_per_minute REAL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    state TEXT CHECK (state IN ('aborted', 'finished', 'halted', 'interrupted')),
    exit_code INTEGER,
    reason TEXT,
    checksum INTEGER NOT NULL,
    CHECK ((ended_at IS NULL) = (state IS NULL)),
    CHECK ((ended_at IS NULL) = (exit_code IS NULL))
) STRICT;

-- Who is named for a session. Journals of earlier versions have no such table.
CREATE TABLE operators (
    session INTEGER PRIMARY KEY REFERENCES sessions (id),
    name TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE outages (
    session INTEGER NOT NULL REFERENCES sessions (id),
    since TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    next_probe_at TEXT NOT NULL,
    probes INTEGER NOT NULL CHECK (probes >= 0),
    cause TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (session, since),
    CHECK (ended_at = '' OR next_probe_at = '')
) STRICT;

CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id),
    ordinal INTEGER NOT NULL REFERENCES rows (ordinal),
    operation TEXT NOT NULL CHECK (operation IN ('get-entitlement', 'get-subscription', 'list-customers',
        'list-entitlements', 'list-subscriptions', 'reactivate-entitlement', 'reactivate-subscription',
        'restore-auto-renew', 'watch-operation', 'watch-subscription')),
    request_id TEXT NOT NULL CHECK (request_id LIKE '________-____-____-____-____________'),
    correlation_id TEXT NOT NULL CHECK (correlation_id LIKE '________-____-____-____-____________'),
    started_at TEXT NOT NULL,
    checksum INTEGER NOT NULL
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
    checksum INTEGER NOT NULL,
    CHECK (NOT (business AND lost)),
    CHECK (http_status IS NOT NULL OR NOT business)
) STRICT;

CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id),
    ordinal INTEGER NOT NULL REFERENCES rows (ordinal),
    status TEXT NOT NULL CHECK (status IN ('accepted', 'already_active', 'deferred', 'duplicate', 'failed',
        'invalid', 'not_attempted', 'pending', 'reactivated', 'unknown')),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    call INTEGER REFERENCES calls (id),
    code TEXT NOT NULL,
    description TEXT NOT NULL CHECK (length(description) <= 1024),
    reopen INTEGER NOT NULL CHECK (reopen IN (0, 1)),
    auto_renew TEXT NOT NULL CHECK (auto_renew IN ('', 'off', 'restored', 'still-off')),
    checksum INTEGER NOT NULL,
    CHECK (status NOT IN ('accepted', 'already_active') OR (call IS NOT NULL AND code = '')),
    CHECK (status <> 'reactivated' OR code = '')
) STRICT;
CREATE INDEX outcomes_of_row ON outcomes (ordinal);
-- Few outcomes leave their rows open. Earlier versions made no such index.
CREATE INDEX open_outcomes ON outcomes (ordinal) WHERE reopen OR status = 'unknown';
