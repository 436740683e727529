"""Decides where access tokens come from, by options, environment and stored sign-ins. No I/O."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.errors import InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.partnercenter.auth.app_credentials import AppSecret, Certificate, SecretFile, SecretValue
from bulkreact.partnercenter.auth.sign_in_records import SignInRecord
from bulkreact.secret_variables import PASSWORD_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE
from bulkreact.settings import AUTHORITIES, RESOURCES, AuthMethod, Cloud, Identity, resource_of, scope_for

_NO_CREDENTIALS = (
    f"There are no credentials. Set {TOKEN_VARIABLE} to an access token for Partner Center; or give --tenant-id and "
    "--client-id and sign in with 'bulkreact login', or give the app's secret or certificate as well; "
    "or practise with --simulate."
)


class OptionSource(IntEnum):
    """The source of an option's value, the strongest first."""

    COMMAND_LINE = 0
    ENVIRONMENT = 1
    CONFIG_FILE = 2


class IdentityOptions(Struct, frozen=True):
    """The options about credentials, empty or None if not given; ``origins`` has the sources of the files."""

    cloud: Cloud = Cloud.GLOBAL
    auth: AuthMethod | None = None
    tenant_id: str = ""
    client_id: str = ""
    authority: str = ""
    scope: str = ""
    client_secret_file: Path | None = None
    certificate_file: Path | None = None
    certificate_password_file: Path | None = None
    origins: Mapping[str, OptionSource] = field(default_factory=dict)


class TokenSource(Struct, frozen=True):
    """A given access token; ``named_tenant`` is the tenant that the options name, empty for none."""

    identity: Identity
    token: str
    named_tenant: str = ""

    def __repr__(self) -> str:
        return "TokenSource(…)"


class AppSource(Struct, frozen=True):
    """The app itself, with its secret or certificate."""

    identity: Identity
    secret: AppSecret


class UserSource(Struct, frozen=True):
    """A user who signed in through the app, which also authenticates itself if there is a ``secret``."""

    identity: Identity
    record: SignInRecord
    secret: AppSecret | None = None


CredentialSource = TokenSource | AppSource | UserSource


def secret_of(source: CredentialSource) -> AppSecret | None:
    """Return the secret or certificate of the app, None if a source has none."""
    return None if isinstance(source, TokenSource) else source.secret


def resolve(
    options: IdentityOptions,
    environment: Mapping[str, str],
    sign_ins: Sequence[SignInRecord],
    *,
    run_tenant: str = "",
) -> CredentialSource:
    """Return where access tokens come from; InputRefusedError if there is no source or no unique one.

    ``run_tenant`` is the tenant of the continued run: tokens must be for it.

    ======  ==========  =================  ======  ===========
    --auth  token set   matching sign-ins  secret  result
    ======  ==========  =================  ======  ===========
    token   yes         any                any     TokenSource
    token   no          any                any     refused
    none    yes         any                any     TokenSource
    user    any         one                any     UserSource
    user    any         none or several    any     refused
    app     any         any                yes     AppSource
    app     any         any                no      refused
    none    no          one                any     UserSource
    none    no          several            any     refused
    none    no          none               yes     AppSource
    none    no          none               no      refused
    ======  ==========  =================  ======  ===========
    """
    tenant = options.tenant_id or run_tenant
    expected = run_tenant if is_guid(run_tenant) else ""
    if expected and is_guid(tenant) and tenant != expected:
        raise InputRefusedError(f"The run is for the tenant {expected}, and --tenant-id says {tenant}.")
    source = _resolve(replace(options, tenant_id=tenant), environment, sign_ins)
    if isinstance(source, TokenSource):
        source = replace(source, named_tenant=options.tenant_id)
    return replace(source, identity=replace(source.identity, tenant_id=expected)) if expected else source


def _resolve(
    options: IdentityOptions, environment: Mapping[str, str], sign_ins: Sequence[SignInRecord]
) -> CredentialSource:
    token = environment.get(TOKEN_VARIABLE, "")
    if options.auth is AuthMethod.TOKEN or (options.auth is None and token.strip()):
        if not token.strip():
            raise InputRefusedError(f"--auth token needs {TOKEN_VARIABLE} to be an access token for Partner Center.")
        return TokenSource(_identity(options), token)
    record = None if options.auth is AuthMethod.APP else matching_sign_in(options, sign_ins)
    if record is None and options.auth is AuthMethod.USER:
        raise InputRefusedError(
            f"Nobody is signed in{_describe(options)} on this machine. Sign in with: bulkreact login"
        )
    secret = app_secret(options, environment)
    if record:
        return UserSource(_user_identity(options, record), record, secret if record.confidential else None)
    if options.auth is None and secret is None:
        raise InputRefusedError(_NO_CREDENTIALS)
    identity = _complete(_identity(options, suffix="/.default"), what="--auth app")
    if secret is None:
        raise InputRefusedError(
            f"--auth app needs the app's secret or certificate: {SECRET_VARIABLE}, --client-secret-file or "
            "--certificate-file."
        )
    return AppSource(identity, secret)


def sign_in_identity(options: IdentityOptions, sign_ins: Sequence[SignInRecord]) -> Identity:
    """Return the identity to sign in with; missing options are taken from the only matching sign-in."""
    matching = _find_matching(options, sign_ins)
    if len(matching) == 1:
        return _user_identity(options, matching[0])
    return _complete(_identity(options, suffix="/user_impersonation"), what="A sign-in")


def matching_sign_in(options: IdentityOptions, sign_ins: Sequence[SignInRecord]) -> SignInRecord | None:
    """Return the sign-in that matches the options, None if none does; InputRefusedError if several do."""
    matching = _find_matching(options, sign_ins)
    if len(matching) > 1:
        names = "; ".join(
            f"--tenant-id {record.tenant_id} --client-id {record.client_id} ({record.user})" for record in matching
        )
        raise InputRefusedError(f"Several users are signed in: say which one is meant. {names}")
    return matching[0] if matching else None


def app_secret(options: IdentityOptions, environment: Mapping[str, str]) -> AppSecret | None:
    """Return the app's secret or certificate, None if there is none; InputRefusedError if two are equally strong.

    The command line beats the environment, the environment beats the configuration file.
    """
    secrets: list[tuple[OptionSource, str, AppSecret]] = []
    if file := options.client_secret_file:
        secrets.append((_origin(options, "client_secret_file"), "--client-secret-file", SecretFile(file)))
    if file := options.certificate_file:
        password, password_file = environment.get(PASSWORD_VARIABLE, ""), options.certificate_password_file
        if password and _origin(options, "certificate_password_file") is OptionSource.CONFIG_FILE:
            password_file = None
        certificate = Certificate(file, password, password_file)
        secrets.append((_origin(options, "certificate_file"), "--certificate-file", certificate))
    if value := environment.get(SECRET_VARIABLE, "").strip():
        secrets.append((OptionSource.ENVIRONMENT, SECRET_VARIABLE, SecretValue(value, SECRET_VARIABLE)))
    strongest = min((origin for origin, _, _ in secrets), default=None)
    candidates = [(name, secret) for origin, name, secret in secrets if origin is strongest]
    if len(candidates) > 1:
        names = " and ".join(name for name, _ in candidates)
        raise InputRefusedError(f"{names} exclude each other: leave one of them out.")
    return candidates[0][1] if candidates else None


def _origin(options: IdentityOptions, name: str) -> OptionSource:
    return options.origins.get(name, OptionSource.COMMAND_LINE)


def _find_matching(options: IdentityOptions, sign_ins: Sequence[SignInRecord]) -> list[SignInRecord]:
    return [
        record
        for record in sign_ins
        if record.cloud == options.cloud.value
        and options.client_id in {"", record.client_id}
        and options.tenant_id in {"", record.tenant_id, record.tid}
        and (not options.authority or _with_tenant(options.authority, record.tenant_id) == record.authority)
    ]


def _user_identity(options: IdentityOptions, record: SignInRecord) -> Identity:
    scope = scope_for(options.scope, "/user_impersonation") if options.scope else record.scope
    return Identity(record.authority, record.tenant_id, record.client_id, scope, resource_of(scope))


def _identity(options: IdentityOptions, suffix: str = "") -> Identity:
    scope = scope_for(options.scope or RESOURCES[options.cloud], suffix)
    authority = _with_tenant(options.authority or AUTHORITIES[options.cloud], options.tenant_id)
    return Identity(authority, options.tenant_id, options.client_id, scope, resource_of(scope))


def _complete(identity: Identity, *, what: str) -> Identity:
    """Return a complete identity; InputRefusedError names what is missing."""
    has_tenant = identity.tenant_id or urlsplit(identity.authority).path.strip("/")
    present = {"--tenant-id": has_tenant, "--client-id": identity.client_id}
    if missing := [name for name, value in present.items() if not value]:
        raise InputRefusedError(f"{what} needs {' and '.join(missing)}.")
    return identity


def _with_tenant(authority: str, tenant: str) -> str:
    """Return a token service's URL with the tenant appended, unless it already has a path."""
    return authority if urlsplit(authority).path.strip("/") or not tenant else f"{authority.rstrip('/')}/{tenant}"


def _describe(options: IdentityOptions) -> str:
    named = {"client id": options.client_id, "tenant id": options.tenant_id}
    filters = [f"{name} {value}" for name, value in named.items() if value]
    return f" for {', '.join(filters)}, cloud {options.cloud}," if filters else ""
