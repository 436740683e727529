"""What doctor has found, for people and for programs."""

from dataclasses import dataclass, field
from enum import StrEnum

from bulkreact.cli.credentials import Chosen
from bulkreact.partnercenter.auth.token_claims import Claims


class Result(StrEnum):
    """How a check ended; only ``failed`` keeps a run from working."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was examined, and what to do about it."""

    name: str
    result: Result
    words: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """How old a sign-in's refresh token is, and for how long it is good unless it is used."""

    age_days: float
    days_left: float


@dataclass(slots=True)
class Findings:
    """Everything that was found; figures for monitors stay None where nothing could be measured."""

    checks: list[Check] = field(default_factory=list)
    chosen: Chosen | None = None
    claims: Claims | None = None
    refresh_token: RefreshToken | None = None
    clock_skew: float | None = None
    is_mfa_compliant: bool | None = None

    @property
    def healthy(self) -> bool:
        """Tell whether a run could work."""
        return all(check.result is not Result.FAILED for check in self.checks)

    def add(self, name: str, result: Result, words: str, advice: str = "") -> None:
        """Note what was found."""
        self.checks.append(Check(name, result, words, advice))
