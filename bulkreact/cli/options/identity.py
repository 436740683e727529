"""The options about credentials."""

import click

from bulkreact.cli.options.param_types import AUTHORITY, CLIENT_ID, SCOPE, TENANT
from bulkreact.cli.options.paths import ReadablePath
from bulkreact.cli.options.shared import CLOUD, combine_options, option
from bulkreact.settings import AuthMethod

_FILE = ReadablePath()
_app_options = combine_options(
    option("--tenant-id", type=TENANT, help="The partner tenant: its GUID, or a domain of it."),
    option("--client-id", type=CLIENT_ID, help="The app registration's application (client) id."),
    option(
        "--authority",
        type=AUTHORITY,
        help="Another token service; the tenant is appended unless it has a path.  [default: of the cloud]",
    ),
    option("--scope", type=SCOPE, help="What tokens are asked for.  [default: Partner Center's of the cloud]"),
    option(
        "--client-secret-file",
        type=_FILE,
        help="A file with only the app's secret; or BULKREACT_CLIENT_SECRET.",
    ),
    option("--certificate-file", type=_FILE, help="A PEM or PFX file with the app's certificate and its key."),
    option(
        "--certificate-password-file",
        type=_FILE,
        help="A file with the password of that file; or BULKREACT_CERTIFICATE_PASSWORD.",
    ),
)
identity_options = combine_options(
    option(
        "--auth",
        type=click.Choice([method.value for method in AuthMethod]),
        help="Where access tokens come from: a ready one (BULKREACT_ACCESS_TOKEN), the app alone, or the app and "
        "a user who signed in with 'bulkreact login'.  [default: by what is set]",
    ),
    _app_options,
)
sign_in_options = combine_options(CLOUD, _app_options)
