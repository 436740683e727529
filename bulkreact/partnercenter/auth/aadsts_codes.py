"""Explains the errors of the token service: AADSTS numbers and OAuth errors, each with what to do."""

_SIGN_IN = "Sign in again with: bulkreact login"
_MFA = "Sign in again, with multi-factor authentication: bulkreact login"
_WAIT = "The token service is at fault; try again in a few minutes."
_TRANSIENT = ("a transient error of the token service", _WAIT)
_CLOUD = "Choose the cloud of the partner tenant with --cloud."
_SETUP = "An administrator must add the Partner Center API's permission to the app registration."
_CONSENT = "An administrator of the partner tenant must consent to the app once."

AADSTS_ERRORS: dict[str, tuple[str, str]] = {
    "7000215": ("the client secret is wrong", "Give the secret's value, which is not its id."),
    "7000222": ("the client secret has expired", "Create a new one in the app registration and use it instead."),
    "700027": (
        "the certificate is not one of the app registration's",
        "Upload the certificate that is being used there, or use one that is registered.",
    ),
    "7000218": (
        "the app registration does not allow signing in without a secret",
        "Allow public client flows there (Authentication), or give the app's secret or certificate and use --browser.",
    ),
    "700025": (
        "this sign-in belongs to an app without a secret, and one was presented",
        "Sign in again with the current settings: bulkreact login",
    ),
    "700016": ("the app is not known in this tenant", "Check --client-id and --tenant-id."),
    "90002": ("the tenant is not known", "Check --tenant-id and --cloud."),
    "900382": ("the tenant belongs to another national cloud", _CLOUD),
    "900432": ("the tenant belongs to another national cloud", _CLOUD),
    "90038": ("the tenant belongs to another national cloud", _CLOUD),
    "500011": (
        "the Partner Center API is not known in this tenant",
        "Check --tenant-id (the partner tenant is meant) and --scope; then an administrator must add the API's permission.",
    ),
    "650057": ("the app lacks the permission for the Partner Center API", _SETUP),
    "65001": ("the app's permissions have no consent yet", _CONSENT),
    "65004": ("the consent to the app's permissions was declined", _CONSENT),
    "700082": ("the refresh token expired after 90 days without use", _SIGN_IN),
    "70008": ("the refresh token has expired", _SIGN_IN),
    "70043": ("the sign-in has expired by a policy of the tenant", _SIGN_IN),
    "50173": ("the sign-in was revoked, perhaps by a new password", _SIGN_IN),
    "70000": ("the refresh token is not valid: it was revoked, or used up elsewhere", _SIGN_IN),
    "50076": ("multi-factor authentication is required", _MFA),
    "50079": ("multi-factor authentication must be set up for this account first", _MFA),
    "50078": ("the multi-factor authentication has expired", _MFA),
    "50074": ("multi-factor authentication is required", _MFA),
    "53003": (
        "conditional access policies block this sign-in",
        "An administrator must let this account, app and machine through, or sign in where the policy allows it.",
    ),
    "50057": ("the user account is disabled", "Use another account, or let an administrator enable this one."),
    "50033": _TRANSIENT,
    "90006": _TRANSIENT,
    "90012": ("the token service took too long", _WAIT),
    "90024": ("the token service is busy", _WAIT),
    "90033": _TRANSIENT,
    "90090": _TRANSIENT,
    "90055": ("the token service throttles this client", _WAIT),
}

TRANSIENT_NUMBERS = frozenset({"50033", "90006", "90012", "90024", "90033", "90090", "90055"})

# The code of a device-code sign-in expired while the program waited for it.
_CODE_EXPIRED = ("the code expired before it was used", "Sign in again, and sooner: bulkreact login")

# Used when the AADSTS number is unknown.
OAUTH_ERRORS: dict[str, tuple[str, str]] = {
    "invalid_client": (
        "the app's secret or certificate was not accepted",
        "Check --client-id and the secret or certificate.",
    ),
    "unauthorized_client": ("the app may not do this", "Check --client-id and the app registration."),
    "invalid_grant": ("the sign-in is no longer valid", _SIGN_IN),
    "interaction_required": ("a user must sign in again", _SIGN_IN),
    "login_required": ("a user must sign in again", _SIGN_IN),
    "consent_required": ("the app's permissions have no consent yet", _CONSENT),
    "invalid_scope": ("it does not know what the token is asked for", "Check --scope and --cloud."),
    "invalid_resource": ("it does not know what the token is asked for", "Check --scope and --cloud."),
    "access_denied": ("the sign-in was declined", "Sign in again, and agree: bulkreact login"),
    "authorization_declined": ("the sign-in was declined", "Sign in again, and agree: bulkreact login"),
    "authorization_pending": _CODE_EXPIRED,
    "slow_down": _CODE_EXPIRED,
    "expired_token": _CODE_EXPIRED,
    "code_expired": _CODE_EXPIRED,
    "temporarily_unavailable": ("it is failing or too busy", _WAIT),
    "server_error": ("it is failing or too busy", _WAIT),
}
