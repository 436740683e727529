"""What doctor has found, for people and for programs."""

from dataclasses import dataclass, field
from enum import StrEnum

from bulkreact.cli.credentials import ResolvedCredentials
from bulkreact.partnercenter.auth.token_claims import Claims


class CheckResult(StrEnum):
    """How a check ended; only ``failed`` keeps a run from working."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was examined, and what to do about it."""

    name: str
    result: CheckResult
    message: str
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the check as ``doctor --json`` prints it."""
        return {"name": self.name, "result": self.result.value, "words": self.message, "advice": self.advice}


@dataclass(frozen=True, slots=True)
class RefreshTokenAge:
    """How old a sign-in's refresh token is, and for how long it is good unless it is used."""

    age_days: float
    days_left: float


@dataclass(slots=True)
class Findings:
    """Everything that was found; figures for monitors stay None where nothing could be measured."""

    checks: list[Check] = field(default_factory=list)
    chosen: ResolvedCredentials | None = None
    claims: Claims | None = None
    refresh_token: RefreshTokenAge | None = None
    clock_skew: float | None = None
    is_mfa_compliant: bool | None = None

    @property
    def healthy(self) -> bool:
        """Tell whether a run could work."""
        return all(check.result is not CheckResult.FAILED for check in self.checks)

    def add(self, name: str, result: CheckResult, words: str, advice: str = "") -> None:
        """Note what was found."""
        self.checks.append(Check(name, result, words, advice))
