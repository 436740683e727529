"""The options of every command by their names in the configuration file, so that no other command is imported for them."""

_TARGET = frozenset({"cloud", "base_url", "api_version", "locale", "simulate"})
_SIGN_IN = frozenset(
    [
        "cloud",
        "tenant_id",
        "client_id",
        "authority",
        "scope",
        "client_secret_file",
        "certificate_file",
        "certificate_password_file",
    ]
)
_IDENTITY = _SIGN_IN - {"cloud"} | {"auth"}
_LIMITS = frozenset(
    ["rate", "concurrency", "per_customer", "timeout", "attempts", "max_throttle", "max_retry_after", "max_outage"]
)
_HALT = frozenset({"halt_on_failures", "halt_after", "order"})
WATCH_OPTIONS = frozenset({"verify_after", "verify_every", "verify_timeout"})
_OUTPUT = frozenset({"reports", "xlsx", "yes", "progress", "quiet", "verbose"})
_UNATTENDED = frozenset(["wait", "log_format", "metrics", "ping", "notify_url", "notify_format", "notify_rows"])
_TABLE = frozenset({"kind", "map", "delimiter", "encoding", "sheet", "hidden_rows", "read_limit"})
_INPUT = _TABLE | {"max_rows", "strict", "allow_empty", "restore_auto_renew", "sum"}
_RESUME = (
    _IDENTITY | _LIMITS | _HALT | WATCH_OPTIONS | _OUTPUT | _UNATTENDED | {"verify", "results", "control", "operator"}
)
_TRUST = frozenset({"base_url", "trust_folder"})
_NONE: frozenset[str] = frozenset()

OPTION_NAMES: dict[str, frozenset[str]] = {
    "template": _NONE,
    "discover": _TARGET
    | _IDENTITY
    | _LIMITS
    | _TABLE
    | {"complete", "control", "customer", "customers", "new", "out", "progress", "quiet", "reports", "status", "wait"},
    "run": _TARGET | _RESUME | _INPUT | {"limit", "page", "plan", "new", "run_id", "sha256"},
    "plan": _TARGET | _IDENTITY | _LIMITS | _INPUT | {"json", "keep", "online", "out", "sha256"},
    "resume": _RESUME | _TRUST,
    "retry": _RESUME | _TRUST | {"all_failed", "limit", "page", "plan", "run_id"},
    "verify": (_RESUME | _TRUST) - _HALT - {"verify"},
    "sweep": (_TARGET | _RESUME | _INPUT | {"again", "every", "expect_within", "keep", "settle", "watch"})
    - {"control", "operator", "results"},
    "serve": _TARGET
    | _IDENTITY
    | _LIMITS
    | _HALT
    | WATCH_OPTIONS
    | frozenset(["approval_from", "check", "continue", "data", "end_sessions", "host", "idle", "max_upload", "open"])
    | {"log_format", "max_rows", "notify_format", "notify_url", "port", "public_url", "reports", "session", "sign_in"}
    | {"time_zone", "verify", "trusted_proxy", "web_certificate_file", "web_client_id", "web_client_secret_file"}
    | {"web_tenant_id"},
    "login": _SIGN_IN | {"browser", "refresh_token_stdin", "store"},
    "logout": _SIGN_IN,
    "doctor": _TARGET | _IDENTITY | _LIMITS | _HALT | WATCH_OPTIONS | {"verify", "json", "reports"},
    "status": frozenset({"all", "json", "reports", "watch"}),
    "prune": frozenset({"older_than", "reports", "yes"}),
    "results": frozenset({"reports", "to", "trust_folder", "xlsx"}),
    "audit": frozenset({"data", "head", "json", "reports"}),
    "explain": _NONE,
    "guide": frozenset({"plain"}),
    "help": _NONE,
    "simulator": frozenset(
        [
            "activation_delay",
            "activation_spread",
            "broken_customers",
            "customer_limit",
            "customers",
            "faults",
            "outages",
            "page_size",
            "paging",
            "partner_limit",
            "port",
            "seed",
            "tls_certificate",
            "tls_key",
            "window",
        ]
    ),
}
