"""Which credentials are used, by options, environment and stored sign-ins."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.app_credentials import AppSecret, Certificate, SecretFile, SecretValue
from bulkreact.partnercenter.auth.credential_source import (
    AppSource,
    CredentialSource,
    IdentityOptions,
    OptionSource,
    TokenSource,
    UserSource,
    app_secret,
    resolve,
    sign_in_identity,
)
from bulkreact.partnercenter.auth.sign_in_records import SignInRecord, TokenStorage
from bulkreact.secret_variables import PASSWORD_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE
from bulkreact.settings import AuthMethod, Cloud

TENANT, OTHER_TENANT = "7e4a4700-0000-4000-8000-000000000001", "7e4a4700-0000-4000-8000-000000000002"
CLIENT, OTHER_CLIENT = "c11e4700-0000-4000-8000-000000000001", "c11e4700-0000-4000-8000-000000000002"
OPTIONS = IdentityOptions(tenant_id=TENANT, client_id=CLIENT)
ANN = SignInRecord(
    user="ann",
    cloud="global",
    authority=f"https://login.microsoftonline.com/{TENANT}",
    tenant_id=TENANT,
    tid=TENANT,
    client_id=CLIENT,
    scope="https://api.partnercenter.microsoft.com/user_impersonation",
    signed_in_at="",
    confidential=False,
    store=TokenStorage.FILE,
)
BEN = replace(ANN, user="ben", client_id=OTHER_CLIENT)
TOKEN, SECRET = {TOKEN_VARIABLE: "token"}, {SECRET_VARIABLE: "secret"}


@pytest.mark.parametrize(
    ("auth", "environment", "sign_ins", "source"),
    [
        (AuthMethod.TOKEN, TOKEN | SECRET, [ANN], TokenSource),
        (None, TOKEN | SECRET, [ANN, ANN], TokenSource),
        (AuthMethod.USER, TOKEN | SECRET, [ANN], UserSource),
        (AuthMethod.APP, TOKEN | SECRET, [ANN], AppSource),
        (None, SECRET, [ANN], UserSource),
        (None, SECRET, [], AppSource),
        (None, SECRET, [BEN], AppSource),
        (None, {TOKEN_VARIABLE: " "} | SECRET, [], AppSource),
    ],
)
def test_the_source_follows_from_option_environment_and_sign_ins(
    auth: AuthMethod | None, environment: dict[str, str], sign_ins: list[SignInRecord], source: type[CredentialSource]
) -> None:
    assert type(resolve(replace(OPTIONS, auth=auth), environment, sign_ins)) is source


@pytest.mark.parametrize(
    ("auth", "environment", "sign_ins", "message"),
    [
        (AuthMethod.TOKEN, SECRET, [ANN], "--auth token needs BULKREACT_ACCESS_TOKEN"),
        (AuthMethod.USER, TOKEN | SECRET, [BEN], "Nobody is signed in for client id"),
        (AuthMethod.USER, {}, [ANN, replace(ANN, user="ben")], "Several users are signed in"),
        (None, {}, [ANN, replace(ANN, user="ben")], "Several users are signed in"),
        (AuthMethod.APP, {}, [ANN], "--auth app needs the app's secret or certificate"),
        (None, {}, [], "There are no credentials"),
    ],
)
def test_what_is_missing_or_not_clear_is_refused(
    auth: AuthMethod | None, environment: dict[str, str], sign_ins: list[SignInRecord], message: str
) -> None:
    with pytest.raises(InputRefusedError, match=message):
        resolve(replace(OPTIONS, auth=auth), environment, sign_ins)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (IdentityOptions(), "needs --tenant-id and --client-id"),
        (IdentityOptions(client_id=CLIENT), "needs --tenant-id"),
        (IdentityOptions(tenant_id=TENANT), "needs --client-id"),
    ],
)
def test_an_app_needs_a_tenant_and_an_id(options: IdentityOptions, message: str) -> None:
    with pytest.raises(InputRefusedError, match=message):
        resolve(options, SECRET, [])


@pytest.mark.parametrize(
    ("options", "matches"),
    [
        (IdentityOptions(), True),
        (OPTIONS, True),
        (IdentityOptions(tenant_id=OTHER_TENANT), False),
        (IdentityOptions(client_id=OTHER_CLIENT), False),
        (IdentityOptions(cloud=Cloud.CHINA), False),
        (IdentityOptions(authority="https://login.microsoftonline.com"), True),
        (IdentityOptions(authority="https://login.example"), False),
    ],
)
def test_a_sign_in_is_used_where_it_matches_the_options(options: IdentityOptions, matches: bool) -> None:
    identity = replace(options, tenant_id=options.tenant_id or TENANT, client_id=options.client_id or CLIENT)
    assert isinstance(resolve(options if matches else identity, SECRET, [ANN]), UserSource if matches else AppSource)


def test_a_users_identity_is_that_of_the_sign_in_unless_options_say_otherwise() -> None:
    identity = resolve(IdentityOptions(), {}, [ANN]).identity
    assert (identity.authority, identity.client_id, identity.scope) == (ANN.authority, CLIENT, ANN.scope)
    assert identity.resource == "https://api.partnercenter.microsoft.com"
    other = resolve(IdentityOptions(scope="api://x"), {}, [ANN]).identity
    assert (other.scope, other.resource) == ("api://x/user_impersonation", "api://x")
    assert sign_in_identity(IdentityOptions(), [ANN]) == identity
    assert sign_in_identity(OPTIONS, []) == identity


@pytest.mark.parametrize(("confidential", "secret"), [(True, SecretValue("secret", SECRET_VARIABLE)), (False, None)])
def test_the_apps_secret_goes_along_only_where_it_did_at_the_sign_in(
    confidential: bool, secret: AppSecret | None
) -> None:
    source = resolve(OPTIONS, SECRET, [replace(ANN, confidential=confidential)])
    assert isinstance(source, UserSource)
    assert source.secret == secret


@pytest.mark.parametrize("environment", [TOKEN, SECRET])
@pytest.mark.parametrize(
    ("named", "run_tenant", "tenant"),
    [
        ("", TENANT, TENANT),
        (TENANT, TENANT, TENANT),
        ("contoso.example", TENANT, TENANT),
        ("contoso.example", "", "contoso.example"),
        ("", "contoso.example", "contoso.example"),
    ],
)
def test_tokens_are_for_the_tenant_of_the_run(
    environment: dict[str, str], named: str, run_tenant: str, tenant: str
) -> None:
    source = resolve(IdentityOptions(tenant_id=named, client_id=CLIENT), environment, [], run_tenant=run_tenant)
    assert source.identity.tenant_id == tenant
    assert getattr(source, "named_tenant", named) == named


def test_another_tenant_than_the_runs_is_refused() -> None:
    with pytest.raises(InputRefusedError, match=f"is for the tenant {TENANT}, and --tenant-id says {OTHER_TENANT}"):
        resolve(IdentityOptions(tenant_id=OTHER_TENANT), TOKEN, [], run_tenant=TENANT)


FILE, PASSWORD_FILE = Path("app"), Path("password")


@pytest.mark.parametrize(
    ("options", "environment", "secret"),
    [
        (IdentityOptions(), {}, None),
        (IdentityOptions(), SECRET, SecretValue("secret", SECRET_VARIABLE)),
        (IdentityOptions(client_secret_file=FILE), SECRET, SecretFile(FILE)),
        (IdentityOptions(certificate_file=FILE), SECRET, Certificate(FILE)),
        (
            IdentityOptions(certificate_file=FILE, origins={"certificate_file": OptionSource.CONFIG_FILE}),
            SECRET,
            SecretValue("secret", SECRET_VARIABLE),
        ),
        (
            IdentityOptions(certificate_file=FILE, certificate_password_file=PASSWORD_FILE),
            {PASSWORD_VARIABLE: "password"},
            Certificate(FILE, "password", PASSWORD_FILE),
        ),
        (
            IdentityOptions(
                certificate_file=FILE,
                certificate_password_file=PASSWORD_FILE,
                origins={"certificate_password_file": OptionSource.CONFIG_FILE},
            ),
            {PASSWORD_VARIABLE: "password"},
            Certificate(FILE, "password"),
        ),
    ],
)
def test_the_strongest_secret_counts(
    options: IdentityOptions, environment: dict[str, str], secret: AppSecret | None
) -> None:
    assert app_secret(options, environment) == secret


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (IdentityOptions(client_secret_file=FILE, certificate_file=FILE), {}),
        (IdentityOptions(client_secret_file=FILE, origins={"client_secret_file": OptionSource.ENVIRONMENT}), SECRET),
    ],
)
def test_two_secrets_of_equal_strength_exclude_each_other(
    options: IdentityOptions, environment: dict[str, str]
) -> None:
    with pytest.raises(InputRefusedError, match="exclude each other"):
        app_secret(options, environment)


def test_a_token_is_not_shown_by_accident() -> None:
    assert "canary" not in repr(resolve(OPTIONS, {TOKEN_VARIABLE: "canary"}, []))
