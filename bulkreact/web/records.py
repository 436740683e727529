"""The records that the store keeps, besides jobs. No I/O."""

from msgspec import Struct


class Version(Struct, frozen=True, kw_only=True):
    """A version of a job: a file, by its name on disk, and how it is read.

    ``checked`` and ``refused`` are JSON, None before the check has ended.
    """

    job: int
    version: int
    what: str
    by_id: str
    by_name: str
    at: str
    file: str
    bytes: int
    sha256: str
    options: str
    digest: str = ""
    checked: str | None = None
    refused: str | None = None
    remark: str = ""


class Approval(Struct, frozen=True, kw_only=True):
    """A decision on one version of a job; ``same person``: no second one was needed."""

    job: int
    version: int
    sha256: str
    digest: str
    options_sha256: str
    target: str
    rows: int
    customers: int
    person_id: str
    person: str
    decision: str
    comment: str
    at: str


class StoredSession(Struct, frozen=True):
    """A session, known by the hash of its id."""

    hash: str
    person: str
    created_at: str
    used_at: str


class FormAnswer(Struct, frozen=True):
    """How a form was answered; its repetition gets the same answer."""

    person: str
    form_id: str
    route: str
    status: int
    location: str
    at: str


class PendingForm(Struct, frozen=True):
    """A form that is being answered; the pages of jobs are below ``base``."""

    form_id: str
    route: str
    base: str


class Actor(Struct, frozen=True):
    """Who is named in the trail: a person with an address, or the server itself.

    The ``form`` by which a person acts is answered in the transaction of what it does to a job.
    """

    id: str = ""
    name: str = "bulkreact"
    address: str = ""
    form: PendingForm | None = None
