-- The record of the web page, format 1. Runs are not in here: each is in its own journal.

CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('checking', 'unusable', 'ready', 'waiting', 'rejected', 'queued', 'running',
        'stopping', 'stopped', 'finished', 'withdrawn', 'expired')),
    target TEXT NOT NULL,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    note TEXT NOT NULL CHECK (length(note) <= 500),
    by_id TEXT NOT NULL,
    by_name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    activity TEXT CHECK (activity IN ('reading', 'online', 'completing', 'preparing', 'waiting-for-partner', 'sending',
        'verifying', 'writing')),
    cause TEXT CHECK (cause IN ('person', 'threshold', 'credentials', 'system', 'disk', 'bug', 'refused', 'busy',
        'outage')),
    run_id TEXT,
    exit_code INTEGER,
    queued_at TEXT NOT NULL,
    stop_by TEXT NOT NULL,
    retry_of INTEGER REFERENCES jobs (number) CHECK (retry_of < number),
    CHECK ((state = 'stopped') = (cause IS NOT NULL)),
    CHECK (state NOT IN ('queued', 'running', 'stopping', 'stopped', 'finished') OR run_id IS NOT NULL),
    CHECK (state <> 'queued' OR queued_at <> '')
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_time ON jobs (created_at, number);
CREATE UNIQUE INDEX jobs_by_run ON jobs (run_id);

CREATE TABLE versions (
    job INTEGER NOT NULL REFERENCES jobs (number),
    version INTEGER NOT NULL CHECK (version >= 1),
    what TEXT NOT NULL CHECK (what IN ('uploaded', 'replaced', 'options', 'corrected', 'completed')),
    by_id TEXT NOT NULL,
    by_name TEXT NOT NULL,
    at TEXT NOT NULL,
    file TEXT NOT NULL,
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    options TEXT NOT NULL CHECK (json_valid(options)),
    digest TEXT NOT NULL,
    checked TEXT CHECK (checked IS NULL OR json_valid(checked)),
    refused TEXT CHECK (refused IS NULL OR json_valid(refused)),
    remark TEXT NOT NULL,
    PRIMARY KEY (job, version)
) STRICT;
CREATE INDEX versions_by_digest ON versions (digest) WHERE digest <> '';

CREATE TABLE approvals (
    number INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (number),
    version INTEGER NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    options_sha256 TEXT NOT NULL CHECK (length(options_sha256) = 64),
    target TEXT NOT NULL,
    rows INTEGER NOT NULL CHECK (rows >= 0),
    customers INTEGER NOT NULL CHECK (customers >= 0),
    person_id TEXT NOT NULL,
    person TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('approved', 'rejected', 'same person')),
    comment TEXT NOT NULL CHECK (length(comment) <= 1000),
    at TEXT NOT NULL,
    FOREIGN KEY (job, version) REFERENCES versions (job, version)
) STRICT;
CREATE INDEX approvals_of_job ON approvals (job);

CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL CHECK (json_valid(roles))) STRICT;

-- Of a session's id only the hash is kept.
CREATE TABLE sessions (
    hash TEXT PRIMARY KEY CHECK (length(hash) = 64),
    person TEXT NOT NULL REFERENCES people (id),
    created_at TEXT NOT NULL,
    used_at TEXT NOT NULL
) STRICT;

CREATE TABLE flows (
    hash TEXT PRIMARY KEY CHECK (length(hash) = 64),
    content TEXT NOT NULL CHECK (json_valid(content)),
    expires_at TEXT NOT NULL
) STRICT;

CREATE TABLE forms (
    person TEXT NOT NULL,
    form_id TEXT NOT NULL,
    route TEXT NOT NULL,
    status INTEGER NOT NULL,
    location TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (person, form_id)
) STRICT;

-- Each line has the hash of itself and of the line before it; with AUTOINCREMENT the highest number is kept elsewhere too.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    person_id TEXT NOT NULL,
    person TEXT NOT NULL,
    address TEXT NOT NULL,
    job INTEGER REFERENCES jobs (number),
    version INTEGER,
    event TEXT NOT NULL CHECK (event IN ('signed-in', 'signed-out', 'refused', 'uploaded', 'replaced', 'options',
        'corrected', 'completed', 'checked', 'submitted', 'withdrawn', 'approved', 'rejected', 'expired', 'started',
        'stopped', 'continued', 'ended', 'verified', 'retried', 'downloaded', 'settings')),
    detail TEXT NOT NULL,
    before TEXT NOT NULL CHECK (length(before) = 64),
    hash TEXT NOT NULL CHECK (length(hash) = 64)
) STRICT;
CREATE INDEX audit_of_job ON audit (job);
-- A REPLACE deletes without asking the trigger for that.
CREATE TRIGGER audit_is_appended_to BEFORE INSERT ON audit
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
    BEGIN SELECT RAISE (ABORT, 'the trail is only appended to'); END;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE (ABORT, 'the trail is only appended to'); END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit BEGIN SELECT RAISE (ABORT, 'the trail is only appended to'); END;

PRAGMA user_version = 1;
