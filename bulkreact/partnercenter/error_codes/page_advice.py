"""Advice for those who work on the page, and have no terminal. No I/O."""

import re

_RETRY = r"bulkreact retry(, or run failed\.\w+)?"
# The first that fits a place is taken.
_PHRASES = (
    (
        rf"Later: {_RETRY}, perhaps with a lower --rate; look for other programs",
        "Later: press Retry. If that happens often, an administrator can lower the pace, or look for other programs",
    ),
    (r"Check network, DNS, proxy and --base-url", "Have an administrator check network, DNS and proxy"),
    (
        r"Check --base-url and the proxy between here and",
        "Have an administrator check the address of Partner Center and the proxy between the server and",
    ),
    (r"Check the proxy between here and", "Have an administrator check the proxy between the server and"),
    (rf"then: {_RETRY}", "then press Retry"),
    (r"Then continue the run if it was stopped, else run failed\.\w+", "Then press Retry all"),
    (r"(then|active,) run failed\.\w+", r"\1 press Retry all"),
    (_RETRY, "press Retry"),
    (r"microsoft\.com, then run the same command again", "microsoft.com, then press Continue"),
    (r"[Rr]un the same command again: it continues the run", "press Continue"),
    (r"Run the same command again\. If", "Do it again. If"),
    (r"Run the same command again", "Press Retry"),
    (r"run the same command again", "press Retry"),
    (r"with: bulkreact verify", "with the button Look again"),
    (r"Continue the run with: bulkreact resume", "Press Continue."),
    (r"\(bulkreact doctor proves it\)", "(an administrator can test it under Settings)"),
    (r"\(bulkreact doctor\)", "(an administrator can test them under Settings)"),
    (r"\(bulkreact discover --complete does, where only one is possible\)", "(Find shows which there are)"),
    (r"\bcontinue (?:it|the run)\b", "press Continue"),
    (r"[Tt]he next time --restore-auto-renew does that", "the next time an option of the job does that"),
    (r"\brun (failed\.\w+|that file)", r"upload \1"),
    (r"\brun the file", "upload the file"),
    (r"\brun it as an input", "upload it"),
    (r"\bRun (failed\.\w+)", r"Upload \1"),
)
_PATTERN = re.compile("|".join(f"(?:{pattern})" for pattern, _ in _PHRASES))


def advise_here(advice: str) -> str:
    """Return advice that names commands in the words of the page's buttons."""
    return _PATTERN.sub(_name_button, advice)


def _name_button(found: re.Match[str]) -> str:
    return next(
        fitting.expand(button) for pattern, button in _PHRASES if (fitting := re.fullmatch(pattern, found.group()))
    )
