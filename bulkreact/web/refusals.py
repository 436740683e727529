"""The refusals of a request: their codes, statuses and titles. No I/O."""

from bulkreact.web.jobs import JobState
from bulkreact.web.records import Actor
from bulkreact.wording import describe_refusal

TITLES: dict[str, tuple[int, str]] = {
    "wrong-host": (421, "This address is not the server's"),
    "cross-site": (403, "The request came from another page"),
    "bad-token": (403, "The page is out of date"),
    "signed-out": (401, "You are signed out"),
    "no-right": (403, "You may not do that"),
    "own-work": (403, "Somebody else must do that"),
    "unknown": (404, "There is nothing here"),
    "stale": (409, "The job has changed meanwhile"),
    "wrong-state": (409, "That is not possible now"),
    "same-rows": (409, "The same rows were sent before"),
    "no-length": (411, "The size of the upload is not known"),
    "too-large": (413, "The file is too large"),
    "not-multipart": (415, "That was no upload"),
    "bad-field": (400, "A field cannot be used"),
    "rate-limited": (429, "Too many requests"),
    "no-sign-in": (503, "Signing in is not possible at the moment"),
    "read-only": (503, "Nothing can be saved at the moment"),
    "bug": (500, "Something went wrong"),
    "method": (405, "That is not possible here"),
}


class RequestRefusedError(Exception):
    """A request that is refused.

    ``field`` names the form field at which the reason is shown, ``actor`` is who was refused without a session.
    """

    def __init__(
        self, code: str, detail: str, *, field: str = "", retry_after: int = 0, actor: Actor | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status, self.title = TITLES[code]
        self.detail = detail
        self.field = field
        self.retry_after = retry_after
        self.actor = actor


def describe_problem(error: OSError | RequestRefusedError) -> str:
    """Return what stops the server's own work, for its administrator."""
    return error.detail if isinstance(error, RequestRefusedError) else describe_refusal(error)


def unknown(what: str) -> RequestRefusedError:
    """Return the refusal of something that is not there."""
    return RequestRefusedError("unknown", f"{what} is not here. Look for it in the history.")


def bad_field(field: str, detail: str) -> RequestRefusedError:
    """Return the refusal of a field's value."""
    return RequestRefusedError("bad-field", detail, field=field)


def wrong_state(number: int, state: JobState) -> RequestRefusedError:
    """Return the refusal of an action that a job's state does not allow."""
    return RequestRefusedError("wrong-state", f"No. {number} is {state}: that cannot be done with it now.")
