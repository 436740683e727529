"""What ``bulkreact doctor`` checks on this machine: folders, files with secrets, certificates."""

import tempfile
from pathlib import Path

from bulkreact.file_access import NO_HOME, foreign_writers, nearest_existing, needs_home
from bulkreact.partnercenter.auth.app_credentials import Certificate, exposed_files
from bulkreact.partnercenter.auth.credential_source import CredentialSource, secret_of
from bulkreact.runs.findings import CheckResult, Findings
from bulkreact.timestamps import utc_now
from bulkreact.wording import shell_quote

_CERTIFICATE_DAYS_LEFT = 30


def check_secret_files(findings: Findings, source: CredentialSource) -> None:
    """Warn of files with secrets that others can read or replace."""
    for file in exposed_files(secret_of(source)):
        findings.add("secret files", CheckResult.WARNING, file.message, file.advice)


def check_certificate(findings: Findings, source: CredentialSource) -> None:
    """Check how long a certificate is still good."""
    secret = secret_of(source)
    if not isinstance(secret, Certificate):
        return
    begin, end = secret.validity()
    now = utc_now()
    left = (end - now).days
    result, message, advice = CheckResult.OK, f"good for another {left} days", ""
    if begin > now:
        result, message = CheckResult.WARNING, f"not good before {begin:%Y-%m-%d %H:%M} UTC"
        advice = "Wait, or use the one before it; check this machine's clock."
    elif left < _CERTIFICATE_DAYS_LEFT:
        result = CheckResult.WARNING
        advice = "Make a new one, upload it to the app registration and replace this one with it."
    findings.add("certificate", result, message, advice)


def check_folder(findings: Findings, name: str, folder: Path, advice: str) -> None:
    """Create and remove a file in the folder, or in the folder where it would be created."""
    if needs_home(folder):
        findings.add(name, CheckResult.FAILED, f"{folder} cannot be used: {NO_HOME}", advice)
        return
    path = folder.absolute()
    try:
        with tempfile.TemporaryFile(dir=nearest_existing(path)) as handle:
            handle.write(b"x")
    except OSError as error:
        findings.add(name, CheckResult.FAILED, f"{folder} cannot be written: {error.strerror}", advice)
        return
    writers = foreign_writers(path) if path.is_dir() else ""
    if writers:
        message = f"{path} can be written, but {writers}"
        findings.add(name, CheckResult.WARNING, message, f"Correct it with: chmod go-w {shell_quote(path)}")
    else:
        created = "" if path.is_dir() else ", will be created"
        findings.add(name, CheckResult.OK, f"{path} can be written{created}")
