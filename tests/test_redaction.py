"""A secret is hidden in whatever form it comes back, and nothing else is."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.redaction import HIDDEN, Redactor

SECRET = 'canary-"7/<pä>&+%\\x='


def _base64_after(before: str) -> Callable[[str], str]:
    return lambda secret: b64encode(f"{before}{secret}:more".encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret))[1:-1],
    "JSON, every character": lambda secret: "".join(f"\\u{ord(char):04X}" for char in secret),
    "JSON, slashes too": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "percent": partial(quote, safe=""),
    "percent, every byte": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "percent in JSON": lambda secret: json.dumps(quote(secret, safe=""))[1:-1].replace("%", "\\u0025"),
    "HTML": escape,
    "HTML, every character": lambda secret: "".join(f"&#x{ord(char):x};" for char in secret),
    "HTML, decimal": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "UTF-16 read as single bytes": lambda secret: secret.encode("utf-16-le").decode("latin-1"),
    "UTF-16, the other way": lambda secret: secret.encode("utf-16-be").decode("latin-1"),
    "UTF-32 read as single bytes": lambda secret: secret.encode("utf-32-le").decode("latin-1"),
    "with invisible characters": "\u200b".join,
    "on several lines": "\r\n".join,
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "base64 of basic authentication": _base64_after("user:"),
    "base64, one further": _base64_after("users:"),
    "base64, two further": _base64_after("users2:"),
    "base64 for URLs": lambda secret: urlsafe_b64encode(secret.encode()).decode(),
    "base64 in a URL": lambda secret: quote(b64encode(secret.encode()).decode(), safe=""),
    "base64 of UTF-16": lambda secret: b64encode(secret.encode().decode("latin-1").encode("utf-16-le")).decode(),
    "hexadecimal": lambda secret: secret.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_every_form(form: str) -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    coded = FORMS[form](SECRET)
    shown = redactor.redact(f"begin 100% \\ & {coded} end")
    assert HIDDEN in shown
    assert shown.startswith("begin 100% \\ & ")
    assert shown.endswith(" end")
    # Base64 shares the characters at both ends with the neighbours of a secret, and keeps those.
    assert len(shown) < len("begin 100% \\ &  end") + len(HIDDEN) + 24
    assert coded[len(coded) // 3 : -len(coded) // 3] not in shown


@given(st.text(min_size=6, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_secret_survives_and_nothing_else_is_lost(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    shown = redactor.redact(f"{before}{secret}{after}")
    assert secret not in shown.replace(HIDDEN, "\0")
    assert Redactor().redact(f"{before}{after}") == f"{before}{after}"


def test_a_text_without_a_secret_is_unchanged() -> None:
    redactor = Redactor()
    redactor.add(SECRET, "short", "")
    text = 'a short {"text": "100 % \\u0063an\\/ary &amp; \x1b\u202e"}'
    assert redactor.redact(text) == text


def test_overlapping_secrets_are_hidden_together() -> None:
    redactor = Redactor()
    redactor.add("user:password", "password", "password-of-something")
    assert redactor.redact("(user:password-of-something)") == f"({HIDDEN})"


@pytest.mark.parametrize("form", ["as it is", "JSON, every character"])
def test_a_secret_is_hidden_wherever_it_is_in_a_long_text(form: str) -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    coded = FORMS[form](SECRET)
    for offset in (65_536 - len(coded) // 2, 65_536, 131_000):
        assert redactor.redact("%" + "x" * offset + coded + "y") == "%" + "x" * offset + HIDDEN + "y"


def test_the_end_of_a_cut_text_does_not_show_the_beginning_of_a_secret() -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    for length in range(1, len(SECRET)):
        assert redactor.redact(f"{'x' * 4096}{SECRET[:length]}", is_cut=True).strip("x") == ""


def test_secrets_are_not_shown_by_accident() -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    assert "canary" not in repr(redactor)
