"""The results of what ``bulkreact doctor`` checks."""

from enum import StrEnum

from msgspec import Struct, field

from bulkreact.partnercenter.auth.credential_source import CredentialSource
from bulkreact.partnercenter.auth.token_claims import Claims


class CheckResult(StrEnum):
    """The result of a check; only ``failed`` prevents a run."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Struct, frozen=True):
    """One check, its result, and what to do about it."""

    name: str
    result: CheckResult
    message: str
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the check as ``doctor --json`` prints it."""
        return {"name": self.name, "result": self.result.value, "words": self.message, "advice": self.advice}


class RefreshTokenAge(Struct, frozen=True):
    """The age of a sign-in's refresh token, and how long it stays valid if unused."""

    age_days: float
    days_left: float


class Findings(Struct):
    """The results of all checks; metrics are None if nothing could be measured."""

    checks: list[Check] = field(default_factory=list)
    source: CredentialSource | None = None
    claims: Claims | None = None
    refresh_token: RefreshTokenAge | None = None
    clock_skew: float | None = None
    is_mfa_compliant: bool | None = None

    @property
    def healthy(self) -> bool:
        """Return whether a run could work."""
        return all(check.result is not CheckResult.FAILED for check in self.checks)

    @property
    def to_do(self) -> list[Check]:
        """Return the checks that need attention, what prevents a run first."""
        return [check for result in (CheckResult.FAILED, CheckResult.WARNING) for check in self._select(result)]

    @property
    def others(self) -> list[Check]:
        """Return the checks that need no attention."""
        return [check for check in self.checks if check.result in {CheckResult.OK, CheckResult.SKIPPED}]

    @property
    def verdict(self) -> str:
        """Return whether a run could work, as a sentence with the names of the checks that say otherwise."""
        failed, warnings = (
            ", ".join(check.name for check in self._select(result))
            for result in (CheckResult.FAILED, CheckResult.WARNING)
        )
        if failed:
            return f"A run would not work: {failed}."
        return f"A run could work. Look at: {warnings}." if warnings else "A run could work."

    def _select(self, result: CheckResult) -> list[Check]:
        return [check for check in self.checks if check.result is result]

    def add(self, name: str, result: CheckResult, message: str, advice: str = "") -> None:
        """Record the result of a check."""
        self.checks.append(Check(name, result, message, advice))
