"""What the numbers of the token service (AADSTS…) mean, in words of ours."""

_SIGN_IN = "Sign in again."
_MFA = "Sign in again with multi-factor authentication."
_WAIT = "The token service is at fault; try again in a few minutes."
_SETUP = "Correct the app registration in the partner tenant."

TOKEN_ERRORS: dict[str, tuple[str, str]] = {
    "7000215": ("the client secret is wrong", "Give the secret's value, not its id."),
    "7000222": ("the client secret has expired", "Make a new secret in the app registration."),
    "700027": ("the certificate does not match the app registration", "Upload the certificate that is being used."),
    "700016": ("the app is not known in this tenant", "Check the client id and the tenant id."),
    "90002": ("the tenant is not known", "Check the tenant id and the cloud."),
    "900382": ("the tenant belongs to another national cloud", "Choose the right --cloud."),
    "900432": ("the tenant belongs to another national cloud", "Choose the right --cloud."),
    "90038": ("the tenant belongs to another national cloud", "Choose the right --cloud."),
    "500011": ("the Partner Center API is not known in this tenant", _SETUP),
    "650057": ("the app lacks the permission for the Partner Center API", _SETUP),
    "65001": ("nobody has consented to the app's permissions", "An administrator must consent once."),
    "700082": ("the refresh token expired after 90 days without use", _SIGN_IN),
    "70008": ("the refresh token has expired", _SIGN_IN),
    "70043": ("the sign-in has expired by policy", _SIGN_IN),
    "50173": ("the sign-in was revoked, perhaps by a new password", _SIGN_IN),
    "70000": ("the refresh token is not valid", _SIGN_IN),
    "50076": ("multi-factor authentication is required", _MFA),
    "50079": ("multi-factor authentication must be set up for this account", _MFA),
    "50078": ("the multi-factor authentication has expired", _MFA),
    "50074": ("multi-factor authentication is required", _MFA),
    "53003": ("conditional access policies block this sign-in", "An administrator must change the policy."),
    "50057": ("the user account is disabled", "Use another account or enable this one."),
    "50033": ("a passing error of the token service", _WAIT),
    "90006": ("a passing error of the token service", _WAIT),
    "90012": ("the token service took too long", _WAIT),
    "90024": ("the token service is busy", _WAIT),
    "90033": ("a passing error of the token service", _WAIT),
    "90090": ("a passing error of the token service", _WAIT),
    "90055": ("the token service throttles this client", _WAIT),
}
