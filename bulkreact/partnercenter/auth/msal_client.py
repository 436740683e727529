"""Asks the token service for tokens through MSAL: blocking, one attempt at a time, and every failure is a sentence."""

import logging
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias
from urllib.parse import quote_plus

import msal
import requests
from msal.exceptions import MsalError
from requests.adapters import HTTPAdapter

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.app_credentials import AppSecret
from bulkreact.partnercenter.auth.token_claims import is_token
from bulkreact.partnercenter.auth.token_errors import Grant, TokenAnswer, TokenServiceError, answer_of, to_error
from bulkreact.partnercenter.network import proxy_for, tls_context
from bulkreact.settings import Identity

# To connect, and between two bytes: a blocked thread cannot be stopped, so it must end by itself.
_TIMEOUT = (5.0, 20.0)
# For an answer that does not say how long its token lives: what is usual.
_USUAL_LIFETIME = 3600.0
# The fields of a request that must be seen nowhere else.
_PROOFS = ("client_secret", "client_assertion", "refresh_token", "device_code", "code", "code_verifier")
_SECRET_LENGTH = 8
_OBJECT = re.compile(r"^<?[\w.]*Connection[\w.]*\([^)]*\)(?: at 0x\w+>)?: ")

# MSAL logs what it cannot read, whole, and without a handler that would go to stderr.
logging.getLogger("msal").addHandler(logging.NullHandler())
logging.getLogger("msal").propagate = False

Result: TypeAlias = Mapping[str, object]


class _Trusting(HTTPAdapter):
    """Trusts what every other connection of this program does, and not the list that comes with requests."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as it is handed on
        """Make the pool for connections without a proxy."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - as it is handed on
        """Make the pool for connections through a proxy."""
        return super().proxy_manager_for(proxy, ssl_context=self._context, **options)

    def cert_verify(self, *_: object, **__: object) -> None:
        """Load nothing more: the context has all that is to be trusted, and verifies."""


class MsalHttpClient:
    """The line to the token service, as MSAL wants it: bounded in time; it remembers the last answer.

    Nothing is taken from the environment but proxies and certificates, and a redirect, which could carry a secret
    away, is not followed.
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("https://", _Trusting(tls_context()))
        self._secrets: set[str] = set()
        self.last: requests.Response | None = None
        # Why there is none: MSAL does not hand on everything that is raised here.
        self.trouble: OSError | None = None

    def get(self, url: str, **options: object) -> requests.Response:
        """Make a GET request."""
        return self._request("GET", url, options)

    def post(self, url: str, **options: object) -> requests.Response:
        """Make a POST request."""
        return self._request("POST", url, options)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def redact(self, secret: str) -> None:
        """Let a secret appear in nobody's words; what is shorter than any real one is a word like others."""
        if len(secret) >= _SECRET_LENGTH:
            self._secrets.add(secret)

    def answer(self, result: Result) -> TokenAnswer:
        """Return an answer without a token; what was sent to prove something is blanked in its words."""
        answer = answer_of(result, status=self.status, retry_after=self.header("Retry-After"))
        words = answer.description
        for secret in self._secrets:
            words = words.replace(secret, "[hidden]").replace(quote_plus(secret), "[hidden]")
        return replace(answer, description=words)

    def header(self, name: str) -> str:
        """Return a header of the last answer, empty when there is none."""
        return "" if self.last is None else str(self.last.headers.get(name, ""))

    @property
    def status(self) -> int | None:
        """Return the HTTP status of the last answer."""
        return None if self.last is None else int(self.last.status_code)

    @property
    def result(self) -> Result:
        """Return the last answer's JSON object, an empty one for anything else."""
        try:
            content = None if self.last is None else self.last.json()
        except ValueError:
            content = None
        return content if isinstance(content, dict) else {}

    def _request(self, method: str, url: str, options: Mapping[str, object]) -> requests.Response:
        proxy = proxy_for(url)
        data = options.get("data")
        if isinstance(data, dict):
            for name in _PROOFS:
                self.redact(str(data.get(name, "")))
        self.last = self.trouble = None
        try:
            self.last = self._session.request(
                method,
                url,
                **{**options, "timeout": _TIMEOUT, "allow_redirects": False},  # type: ignore[arg-type]
                proxies={"http": proxy, "https": proxy} if proxy else {},
            )
        except OSError as error:
            self.trouble = _innermost(error)
            raise ConnectionError(str(self.trouble)) from None
        return self.last


def application(
    identity: Identity, secret: AppSecret | None, line: MsalHttpClient, cache: msal.TokenCache | None = None
) -> msal.ClientApplication:
    """Return MSAL's application, which reads the tenant's configuration at once.

    A new one for each attempt: it keeps answers, good and bad ones, and would hand a passing error out again for
    a minute without asking.
    """
    kind = msal.ConfidentialClientApplication if secret else msal.PublicClientApplication
    credential = secret.load() if secret else None
    if isinstance(credential, str):
        line.redact(credential)
    return kind(
        identity.client_id,
        client_credential=credential,
        authority=identity.authority,
        http_client=line,
        token_cache=cache,
        # Another host would be asked whether this one is genuine; it was named by the settings.
        instance_discovery=False,
    )


@contextmanager
def msal_session(identity: Identity) -> Iterator[MsalHttpClient]:
    """Yield a line for one attempt; whatever MSAL and the network raise becomes a TokenServiceError."""
    try:
        line = MsalHttpClient()
    except InputRefusedError as error:
        raise TokenServiceError(str(error), transient=False) from None
    try:
        yield line
    except (
        OSError,
        MsalError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        if line.last is not None:
            # It answered, but with something that MSAL could not use.
            raise to_error(line.answer(line.result)) from None
        if line.trouble is not None:
            raise _unreachable(identity, line.trouble) from None
        if not isinstance(error, OSError):
            raise
        raise TokenServiceError(f"The credentials could not be used: {_words(error)}.", transient=True) from None
    except InputRefusedError as error:
        # A secret that was good when the program began, and has been replaced by something that is none.
        raise TokenServiceError(str(error), transient=False) from None
    finally:
        line.close()


def grant_of(result: Result | None, line: MsalHttpClient) -> Grant:
    """Return the token of a result; TokenServiceError for any other."""
    token = result.get("access_token") if result else None
    if not result or not isinstance(token, str) or not is_token(token):
        raise to_error(line.answer(result or {}))
    lifetime = result.get("expires_in")
    seconds = max(1.0, float(lifetime)) if isinstance(lifetime, int | float) else _USUAL_LIFETIME
    return Grant(token, seconds)


def app_tokens(identity: Identity, secret: AppSecret) -> Callable[[str], Grant]:
    """Return what fetches app-only tokens."""

    def fetch(_refused: str) -> Grant:
        with msal_session(identity) as line:
            # Nothing is cached across applications: this asks anew each time.
            return grant_of(application(identity, secret, line).acquire_token_for_client([identity.scope]), line)

    return fetch


def _unreachable(identity: Identity, trouble: OSError) -> TokenServiceError:
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return TokenServiceError(
            f"The token service's certificate at {identity.authority} is not trusted: {trouble.verify_message}. If "
            "your company's proxy replaces certificates, name its certificate in SSL_CERT_FILE.",
            transient=False,
        )
    return TokenServiceError(
        f"The token service at {identity.authority} cannot be reached: {_words(trouble)}. "
        "Check network, DNS, proxy and --authority.",
        transient=True,
    )


def _innermost(error: Exception) -> OSError:
    """Return the reason that the layers of requests are put around."""
    reason: Exception = error
    while inner := next(
        (one for one in (getattr(reason, "reason", None), *reason.args) if isinstance(one, Exception)), None
    ):
        reason = inner
    return reason if isinstance(reason, OSError) else ConnectionError(str(reason))


def _words(error: OSError) -> str:
    """Return a reason without the names of the objects that have met it."""
    words = " ".join(str(error).split())
    return _OBJECT.sub("", words)[:200] or type(error).__name__
