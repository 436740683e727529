"""What the errors of the token service (AADSTS numbers and OAuth's words) mean, in words of ours."""

_SIGN_IN = "Sign in again with: bulkreact login"
_MFA = "Sign in again, with multi-factor authentication: bulkreact login"
_WAIT = "The token service is at fault; try again in a few minutes."
_CLOUD = "Choose the cloud of the partner tenant with --cloud."
_SETUP = "An administrator must add the Partner Center API's permission to the app registration."
_CONSENT = "An administrator of the partner tenant must consent to the app once."

AADSTS_ERRORS: dict[str, tuple[str, str]] = {
    "7000215": ("the client secret is wrong", "Give the secret's value, which is not its id."),
    "7000222": ("the client secret has expired", "Make a new one in the app registration and put it in its place."),
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
        "Sign in again as things are now: bulkreact login",
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
    "65001": ("nobody has consented to the app's permissions", _CONSENT),
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
    "50033": ("a passing error of the token service", _WAIT),
    "90006": ("a passing error of the token service", _WAIT),
    "90012": ("the token service took too long", _WAIT),
    "90024": ("the token service is busy", _WAIT),
    "90033": ("a passing error of the token service", _WAIT),
    "90090": ("a passing error of the token service", _WAIT),
    "90055": ("the token service throttles this client", _WAIT),
}

TRANSIENT_NUMBERS = frozenset({"50033", "90006", "90012", "90024", "90033", "90090", "90055"})

# For numbers that are not in the table.
# Whoever waits for somebody to enter a code waits until the code's time is over.
_CODE_EXPIRED = ("nobody signed in while the code was good", "Sign in again, and sooner: bulkreact login")
OAUTH_ERRORS: dict[str, tuple[str, str]] = {
    "invalid_client": (
        "the app's secret or certificate was not accepted",
        "Check --client-id and the secret or certificate.",
    ),
    "unauthorized_client": ("the app may not do this", "Check --client-id and the app registration."),
    "invalid_grant": ("the sign-in is no longer good", _SIGN_IN),
    "interaction_required": ("somebody must sign in again by hand", _SIGN_IN),
    "login_required": ("somebody must sign in again by hand", _SIGN_IN),
    "consent_required": ("nobody has consented to the app's permissions", _CONSENT),
    "invalid_scope": ("it does not know what the token is asked for", "Check --scope and --cloud."),
    "invalid_resource": ("it does not know what the token is asked for", "Check --scope and --cloud."),
    "access_denied": ("the sign-in was declined", "Sign in again, and agree: bulkreact login"),
    "authorization_declined": ("the sign-in was declined", "Sign in again, and agree: bulkreact login"),
    "authorization_pending": _CODE_EXPIRED,
    "slow_down": _CODE_EXPIRED,
    "expired_token": _CODE_EXPIRED,
    "code_expired": _CODE_EXPIRED,
    "temporarily_unavailable": ("it is in trouble or too busy", _WAIT),
    "server_error": ("it is in trouble or too busy", _WAIT),
}
