"""The options about the app registration with which people sign in to the page."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import click

from bulkreact.cli.options.param_types import CLIENT_ID, TENANT, Parser
from bulkreact.cli.options.paths import ReadablePath
from bulkreact.errors import InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.partnercenter.auth.app_credentials import AppSecret, Certificate, SecretFile, SecretValue
from bulkreact.secret_variables import PASSWORD_VARIABLE, WEB_SECRET_VARIABLE
from bulkreact.settings import AUTHORITIES, Cloud, Identity
from bulkreact.web.serve_settings import EntraApp, parse_address

# What any app may ask for, to prove that it is known.
_DIRECTORIES = {
    Cloud.GLOBAL: "https://graph.microsoft.com",
    Cloud.USGOV: "https://graph.microsoft.us",
    Cloud.CHINA: "https://microsoftgraph.chinacloudapi.cn",
}
_option = partial(click.option)
ENTRA_OPTIONS = (
    _option("--web-tenant-id", type=TENANT, help="The tenant whose people sign in.  [default: --tenant-id]"),
    _option("--web-client-id", type=CLIENT_ID, help="The app with which they do.  [default: --client-id]"),
    _option(
        "--web-client-secret-file",
        type=ReadablePath(),
        help=f"A file with only that app's secret; or {WEB_SECRET_VARIABLE}.",
    ),
    _option(
        "--web-certificate-file",
        type=ReadablePath(),
        help="A PEM or PFX file with that app's certificate and its key; its password as for --certificate-file.",
    ),
    _option(
        "--trusted-proxy",
        type=Parser("ADDRESS", parse_address),
        multiple=True,
        help="A proxy on another machine, whose X-Forwarded-For is believed. Repeatable.",
    ),
)


def read_entra(params: Mapping[str, object], environment: Mapping[str, str]) -> EntraApp:
    """Return the app with which people sign in; InputRefusedError if it is not complete."""
    cloud = Cloud(str(params["cloud"]))
    tenant, client = (str(params[f"web_{name}"] or params[name] or "") for name in ("tenant_id", "client_id"))
    if not is_guid(tenant) or not client:
        raise InputRefusedError(
            "--sign-in entra needs --web-tenant-id, the GUID of the only tenant whose people may sign in, and --web-client-id."
        )
    service = urlsplit(str(params["authority"] or AUTHORITIES[cloud]))
    identity = Identity(
        authority=f"{service.scheme}://{service.netloc}/{tenant}",
        tenant_id=tenant,
        client_id=client,
        scope=f"{_DIRECTORIES[cloud]}/.default",
        resource=_DIRECTORIES[cloud],
    )
    secret = _secret(params, environment)
    # What cannot be used is refused now, and not when the first one signs in.
    secret.load()
    return EntraApp(identity, secret)


def _secret(params: Mapping[str, object], environment: Mapping[str, str]) -> AppSecret:
    given: dict[str, AppSecret] = {}
    if isinstance(file := params["web_client_secret_file"], Path):
        given["--web-client-secret-file"] = SecretFile(file)
    if isinstance(file := params["web_certificate_file"], Path):
        password_file = params["certificate_password_file"]
        given["--web-certificate-file"] = Certificate(
            file, environment.get(PASSWORD_VARIABLE, ""), password_file if isinstance(password_file, Path) else None
        )
    if value := environment.get(WEB_SECRET_VARIABLE, "").strip():
        given[WEB_SECRET_VARIABLE] = SecretValue(value, WEB_SECRET_VARIABLE)
    if len(given) != 1:
        raise InputRefusedError(
            f"--sign-in entra needs one of --web-client-secret-file, --web-certificate-file and {WEB_SECRET_VARIABLE}; "
            f"{' and '.join(given) if given else 'none'} is given."
        )
    return next(iter(given.values()))
