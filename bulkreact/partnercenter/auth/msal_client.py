"""Requests tokens from the token service through MSAL: blocking, one attempt at a time, with readable errors."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msal
import requests
from msal.exceptions import MsalError
from requests.adapters import HTTPAdapter

from bulkreact import USER_AGENT
from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.app_credentials import AppSecret
from bulkreact.partnercenter.auth.token_claims import is_token
from bulkreact.partnercenter.auth.token_errors import Grant, TokenAnswer, TokenServiceError, answer_of, to_error
from bulkreact.partnercenter.network import describe_failure, proxy_for, refused_proxies, tls_context, trust_source
from bulkreact.partnercenter.refusals import WRONG_PASSWORD, tls_refusal, tunnel_refusal, tunnel_status
from bulkreact.redaction import Redactor
from bulkreact.settings import Identity

# To connect, and between two bytes: a blocked thread cannot be stopped, so it must end by itself.
_TIMEOUT = (5.0, 20.0)
# If the answer does not say how long its token is valid.
_USUAL_LIFETIME = 3600.0
# The secrets in requests and answers.
_SENT = ("client_secret", "client_assertion", "refresh_token", "device_code", "code", "code_verifier")
_RECEIVED = ("access_token", "refresh_token", "id_token", "device_code")

Result: TypeAlias = Mapping[str, object]


class _TlsAdapter(HTTPAdapter):
    """Verifies TLS like all other connections of this program, not with the certificates of requests."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed through
        """Create the pool for connections without a proxy."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - passed through
        """Create the pool for connections through a proxy."""
        return super().proxy_manager_for(proxy, ssl_context=self._context, **options)

    def cert_verify(self, *_: object, **__: object) -> None:
        """Load no more certificates: the context has them all and verifies."""


class MsalHttpClient:
    """The HTTP client that MSAL uses, with time-outs; it keeps the last answer.

    From the environment it uses only proxies and certificates. It follows no redirect, which could leak a secret. The
    ``redactor`` learns every secret that is sent or comes.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.mount("https://", _TlsAdapter(tls_context()))
        self.redactor = redactor
        self.last: requests.Response | None = None
        # MSAL does not propagate every exception raised here.
        self.error: OSError | None = None

    def get(self, url: str, **options: object) -> requests.Response:
        """Make a GET request."""
        return self._request("GET", url, options)

    def post(self, url: str, **options: object) -> requests.Response:
        """Make a POST request."""
        return self._request("POST", url, options)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def answer(self, result: Result) -> TokenAnswer:
        """Return what is kept of an answer without a token."""
        return answer_of(result, status=self.status, retry_after=self.header("Retry-After"))

    def header(self, name: str) -> str:
        """Return a header of the last answer, empty if there is none."""
        return "" if self.last is None else str(self.last.headers.get(name, ""))

    @property
    def status(self) -> int | None:
        """Return the HTTP status of the last answer."""
        return None if self.last is None else int(self.last.status_code)

    @property
    def result(self) -> Result:
        """Return the last answer's JSON object, an empty dict for anything else."""
        try:
            content = None if self.last is None else self.last.json()
        except ValueError:
            content = None
        return content if isinstance(content, dict) else {}

    def _request(self, method: str, url: str, options: Mapping[str, object]) -> requests.Response:
        proxy = proxy_for(url)
        data = options.get("data")
        if isinstance(data, dict):
            self.redactor.add(*(str(data.get(name, "")) for name in _SENT))
        self.last = self.error = None
        try:
            self.last = self._session.request(
                method,
                url,
                **{**options, "timeout": _TIMEOUT, "allow_redirects": False},  # type: ignore[arg-type]
                proxies={"http": proxy, "https": proxy} if proxy else {},
            )
        except OSError as error:
            self.error = _innermost(error)
            if proxy and tunnel_status(self.error) in WRONG_PASSWORD:
                refused_proxies.add(proxy)
            raise ConnectionError(_describe(self.error)) from None
        received = self.result
        self.redactor.add(*(value for name in _RECEIVED if isinstance(value := received.get(name), str)))
        return self.last


def application(
    identity: Identity,
    secret: AppSecret | None,
    http_client: MsalHttpClient,
    cache: msal.TokenCache | None = None,
    *,
    offline: bool = True,
) -> msal.ClientApplication:
    """Return MSAL's application, which reads the tenant's configuration at once; ``offline`` asks for refresh tokens.

    Make a new one for each attempt: it caches answers, and would repeat a transient error for a minute.
    """
    kind = msal.ConfidentialClientApplication if secret else msal.PublicClientApplication
    if secret:
        # It may have been replaced since the program started.
        http_client.redactor.add(secret.secret())
    return kind(
        identity.client_id,
        client_credential=secret.load() if secret else None,
        authority=identity.authority,
        http_client=http_client,
        token_cache=cache,
        # The authority comes from the settings: do not ask another host whether it is genuine.
        instance_discovery=False,
        exclude_scopes=None if offline else ["offline_access"],
    )


@contextmanager
def msal_session(identity: Identity, redactor: Redactor) -> Iterator[MsalHttpClient]:
    """Yield an HTTP client for one attempt; errors of MSAL and the network become a TokenServiceError."""
    try:
        http_client = MsalHttpClient(redactor)
    except InputRefusedError as error:
        raise TokenServiceError(str(error), transient=False) from None
    try:
        yield http_client
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
        if http_client.last is not None:
            # It answered, but MSAL could not use the answer.
            raise to_error(http_client.answer(http_client.result)) from None
        if http_client.error is not None:
            raise _unreachable(identity, http_client.error) from None
        if not isinstance(error, OSError):
            raise
        raise TokenServiceError(f"The credentials could not be used: {_describe(error)}.", transient=True) from None
    except InputRefusedError as error:
        # The secret's file was replaced since the program started, and is now unusable.
        raise TokenServiceError(str(error), transient=False) from None
    finally:
        http_client.close()


def grant_of(result: Result | None, http_client: MsalHttpClient) -> Grant:
    """Return the token in a result; TokenServiceError if there is none."""
    token = result.get("access_token") if result else None
    if not result or not isinstance(token, str) or not is_token(token):
        raise to_error(http_client.answer(result or {}))
    lifetime = result.get("expires_in")
    seconds = max(1.0, float(lifetime)) if isinstance(lifetime, int | float) else _USUAL_LIFETIME
    return Grant(token, seconds)


def app_tokens(identity: Identity, secret: AppSecret, redactor: Redactor) -> Callable[[str], Grant]:
    """Return the function that fetches app-only tokens."""

    def fetch(_stale: str) -> Grant:
        with msal_session(identity, redactor) as http_client:
            # A new application has an empty cache, so this always calls the service.
            result = application(identity, secret, http_client).acquire_token_for_client([identity.scope])
            return grant_of(result, http_client)

    return fetch


def _unreachable(identity: Identity, error: OSError) -> TokenServiceError:
    address = urlsplit(identity.authority)
    host, port = address.hostname or "", address.port or 443
    if refusal := tls_refusal(error, host=host, port=port, trust=trust_source()) or tunnel_refusal(error, host=host):
        return TokenServiceError(
            f"The token service at {identity.authority} cannot be reached: {refusal.message}", transient=False
        )
    return TokenServiceError(
        f"The token service at {identity.authority} cannot be reached: {_describe(error)}. "
        "Check network, DNS, proxy and --authority.",
        transient=True,
    )


def _innermost(error: BaseException) -> OSError:
    """Return the root cause wrapped by requests and urllib3."""
    cause = error
    while inner := next(
        (arg for arg in (getattr(cause, "reason", None), *cause.args, cause.__cause__) if isinstance(arg, Exception)),
        None,
    ):
        cause = inner
    return cause if isinstance(cause, OSError) else ConnectionError()


def _describe(error: OSError) -> str:
    """Say why there was no answer, by the type of the error; of a proxy's own words only the status is kept."""
    status = tunnel_status(error)
    return f"the proxy answered {status}" if status else describe_failure(error)
