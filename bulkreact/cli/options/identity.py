"""The options about credentials."""

from pathlib import Path

import click

from bulkreact.cli.options.param_types import AUTHORITY, CLIENT_ID, SCOPE, TENANT
from bulkreact.cli.options.shared import CLOUD, Decorated, add_options, shared
from bulkreact.settings import AuthMethod

_FILE = click.Path(dir_okay=False, path_type=Path)
_SECRETS = (
    shared("--tenant-id", type=TENANT, help="The partner tenant: its GUID, or a domain of it."),
    shared("--client-id", type=CLIENT_ID, help="The app registration's application (client) id."),
    shared(
        "--authority",
        type=AUTHORITY,
        help="Another token service; the tenant is appended unless it has a path.  [default: of the cloud]",
    ),
    shared("--scope", type=SCOPE, help="What tokens are asked for.  [default: Partner Center's of the cloud]"),
    shared(
        "--client-secret-file",
        type=_FILE,
        help="A file with only the app's secret; or BULKREACT_CLIENT_SECRET.",
    ),
    shared("--certificate-file", type=_FILE, help="A PEM or PFX file with the app's certificate and its key."),
    shared(
        "--certificate-password-file",
        type=_FILE,
        help="A file with the password of that file; or BULKREACT_CERTIFICATE_PASSWORD.",
    ),
)
_IDENTITY = (
    shared(
        "--auth",
        type=click.Choice([auth.value for auth in AuthMethod]),
        help="Where access tokens come from: a ready one (BULKREACT_ACCESS_TOKEN), the app alone, or the app and "
        "a user who signed in with 'bulkreact login'.  [default: by what is given]",
    ),
    *_SECRETS,
)


def identity_options(function: Decorated) -> Decorated:
    """Add the options about the credentials of calls."""
    return add_options(function, _IDENTITY)


def sign_in_options(function: Decorated) -> Decorated:
    """Add the options about app, tenant and cloud of a sign-in."""
    return add_options(function, (CLOUD, *_SECRETS))
