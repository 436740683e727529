"""How help is arranged: commands and options in groups, the options that matter first, and examples; imports nothing."""

from collections.abc import Iterator, Sequence

# Short helps are here, so that the list of commands is shown without importing any of them.
COMMAND_GROUPS = {
    "Prepare": {
        "template": "Write an empty input file, .csv or .xlsx.",
        "discover": "Write an input file of everything that is not active.",
        "plan": "Show what a run would send, and everything that is wrong with the input.",
    },
    "Run": {
        "run": "Reactivate every subscription of a file and write the results.",
        "resume": "Continue an unfinished run.",
        "retry": "Send what may succeed now of a finished run, as a new run.",
        "verify": "Read the present status of accepted subscriptions and finish the results.",
    },
    "Look": {
        "status": "Show the state of a run, also while it is running.",
        "results": "Write a run's result files again from its journal.",
        "audit": "Show who did what on the web page, and whether that record is whole.",
        "explain": "Explain an error code or a status: what it means and what to do.",
        "help": "Show the options and examples of a command.",
        "guide": "Show the manual, chapter by chapter.",
    },
    "Unattended": {
        "sweep": "Run every new file of a folder, each once: for schedules.",
        "prune": "Remove the folders of runs that finished long ago.",
        "serve": "Serve the web page: upload, check, run and watch in a browser.",
    },
    "Set up": {
        "login": "Sign in a user, so that runs can be made in their name.",
        "logout": "Delete a sign-in.",
        "doctor": "Prove that a run could work: settings, token, network, one harmless read.",
        "simulator": "Run a local Partner Center to practise against.",
    },
}
COMMANDS = {name: text for group in COMMAND_GROUPS.values() for name, text in group.items()}

RUN_METAVAR = "[RUN]"
RUN_NAMES = (
    "RUN is latest (which is meant without it), an id, its beginning or ending like 63ed, the name of an input that only "
    "one run has, or a folder."
)

# The first ten of these that a command has come first, if it has many options.
_MOST_USED = (
    *("out", "complete", "customer", "all_failed", "watch", "expect_within", "keep", "online", "json"),
    *("kind", "map", "limit", "rate", "verify", "yes", "simulate", "auth", "reports", "new"),
    *("verify_timeout", "tenant_id", "client_id", "base_url", "cloud"),
)
_MOST_USED_COUNT = 10
_MANY = 20
MOST_USED = "Most used"

OPTION_GROUPS = {
    "Input": (
        *(
            "customer",
            "customers",
            "status",
            "complete",
            "kind",
            "map",
            "sum",
            "sheet",
            "hidden_rows",
            "delimiter",
            "encoding",
        ),
        *("max_rows", "read_limit", "allow_empty", "strict"),
    ),
    "Inbox": ("every", "settle", "expect_within", "keep", "again"),
    "What to send": (
        *(
            "all_failed",
            "limit",
            "new",
            "run_id",
            "sha256",
            "plan",
            "order",
            "restore_auto_renew",
            "yes",
            "online",
            "halt_on_failures",
        ),
        *("halt_after", "older_than", "trust_folder"),
    ),
    "Pace and patience": (
        *(
            "rate",
            "concurrency",
            "per_customer",
            "timeout",
            "attempts",
            "max_throttle",
            "max_retry_after",
            "max_outage",
        ),
        "wait",
    ),
    "Verification": ("verify", "verify_after", "verify_every", "verify_timeout"),
    "Output": (
        *(
            "all",
            "watch",
            "list_all",
            "plain",
            "json",
            "out",
            "to",
            "reports",
            "results",
            "xlsx",
            "progress",
            "quiet",
            "verbose",
        ),
        "log_format",
    ),
    "Monitoring": ("control", "operator", "page", "metrics", "ping", "notify_url", "notify_format", "notify_rows"),
    "Credentials": (
        *("auth", "tenant_id", "client_id", "authority", "scope", "client_secret_file", "certificate_file"),
        *("certificate_password_file", "browser", "refresh_token_stdin", "store"),
    ),
    "Target": ("simulate", "cloud", "base_url", "api_version", "locale"),
    "The simulated service": (
        *(
            "activation_delay",
            "activation_spread",
            "partner_limit",
            "customer_limit",
            "window",
            "faults",
            "seed",
        ),
        *("broken_customers", "page_size", "paging", "outages", "tls_certificate", "tls_key"),
    ),
    "Address": ("host", "port", "public_url"),
    "The web page": (
        *(
            "open",
            "sign_in",
            "data",
            "approval_from",
            "max_upload",
            "session",
            "idle",
        ),
        *("time_zone", "continue", "check", "end_sessions", "web_tenant_id", "web_client_id", "web_client_secret_file"),
        *("web_certificate_file", "trusted_proxy", "head"),
    ),
    "Configuration": ("config", "profile", "version", "help"),
}

# Options that people type and that have another name here, with the advice.
OTHER_NAMES = {
    "--dry-run": "see what a run would send with 'bulkreact plan', or practise it with 'bulkreact run INPUT --simulate'",
    "--what-if": "see what a run would send with 'bulkreact plan', or practise it with 'bulkreact run INPUT --simulate'",
    "--client-secret": "secrets are no options: set BULKREACT_CLIENT_SECRET, or name a file with --client-secret-file",
    "--access-token": "secrets are no options: set BULKREACT_ACCESS_TOKEN",
    "--token": "secrets are no options: set BULKREACT_ACCESS_TOKEN",
    "--force": "agree beforehand with --yes; start a new run of the same input with --new",
    "--output": "the run's folder is made below --reports DIR; --results FILE writes a copy of the results",
}
OTHER_COMMANDS = {
    "reactivate": "run",
    "start": "run",
    "continue": "resume",
    "validate": "plan",
    "dry-run": "plan",
    "check": "doctor",
    "list": "status --all",
    "history": "status --all",
    "simulate": "run INPUT --simulate",
}


def option_sections(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the sections of a command's help: their titles, and those of its options, by name, that are in them."""
    first = [name for name in _MOST_USED if name in names][:_MOST_USED_COUNT] if len(names) > _MANY else []
    if first:
        yield MOST_USED, first
    left = [name for name in names if name not in first]
    for title, group in OPTION_GROUPS.items():
        if found := [name for name in group if name in left]:
            yield title, found
    grouped = {name for group in OPTION_GROUPS.values() for name in group}
    if others := [name for name in left if name not in grouped]:
        yield "Options", others


# Command lines for people who have not used a command before, each with what it does.
EXAMPLES: dict[str, dict[str, str]] = {
    "template": {
        "bulkreact template": "Write template.csv: the headers, to be filled in.",
        "bulkreact template orders.xlsx": "The same as a workbook whose id columns are text.",
    },
    "discover": {
        "bulkreact discover --out found.csv": "Everything that is not active, of all customers.",
        "bulkreact discover --complete old.csv --out full.csv": "Fill in the entitlement ids that are missing.",
    },
    "plan": {
        "bulkreact plan orders.csv": "What a run would send, and what is wrong with which cell.",
        "bulkreact plan orders.xlsx --sum Amount": "What is at stake, of each customer.",
        "bulkreact plan orders.csv --online": "Also read the present status of every target.",
        "bulkreact plan orders.csv --out plan.json": "Save it; 'run --plan plan.json' refuses any other input.",
    },
    "run": {
        "bulkreact run inputs/sample.csv --simulate": "Practise: nothing leaves this machine.",
        "bulkreact run orders.csv --limit 5": "Begin with five rows; 'bulkreact resume' sends the others.",
        "bulkreact run orders.csv --verify": "Wait until what was accepted is seen active.",
        "bulkreact run orders.csv --map customer_id=Tenant": "The file has headers of its own.",
        "bulkreact run orders.csv --yes -q": "For scripts: no question, no output when all is well.",
    },
    "resume": {
        "bulkreact resume": "Continue the latest unfinished run.",
        "bulkreact resume 63ed": "Continue the run whose id ends in 63ed.",
    },
    "retry": {
        "bulkreact retry": "Send again what may succeed now of the latest run.",
        "bulkreact retry 63ed --all-failed": "Also what was refused for good, after the cause is gone.",
    },
    "verify": {
        "bulkreact verify": "Read each accepted subscription of the latest run once.",
        "bulkreact verify 63ed --verify-timeout 20m": "Watch for at most 20 minutes until all are active.",
    },
    "status": {
        "bulkreact status": "The latest run, also while another process works on it.",
        "bulkreact status --watch": "Redraw it until the run ends; Ctrl-C ends only that.",
        "bulkreact status --all": "All runs, the newest first.",
        "bulkreact status orders.csv --json": "The run of this input, for programs.",
    },
    "results": {
        "bulkreact results": "Write the result files of the latest run again.",
        "bulkreact results 63ed --to copy --xlsx": "Write them into another folder, with a workbook.",
    },
    "audit": {
        "bulkreact audit": "The whole trail; exit code 1 when it was changed.",
        "bulkreact audit --data /srv/serve --json": "Of a server with a folder of its own, for programs.",
    },
    "explain": {
        "bulkreact explain 900337 unknown 404": "An error code, a status of a row and an HTTP status.",
        "bulkreact explain --list": "All of them, one a line.",
    },
    "guide": {
        "bulkreact guide": "What chapters there are.",
        "bulkreact guide when-it-stops": "What to do when a run has stopped.",
        "bulkreact guide reference --plain": "Every option, as text.",
    },
    "help": {
        "bulkreact help run": "The same as 'bulkreact run --help'.",
    },
    "sweep": {
        "bulkreact sweep --yes -q": "Run every new file of inputs/, as cron does it.",
        "bulkreact sweep drop --yes --expect-within 7d": "Exit code 1 when no new file came for a week.",
        "bulkreact sweep --simulate --keep": "Practise, and leave the files where they are.",
    },
    "prune": {
        "bulkreact prune --older-than 90d": "Show the runs that ended before, and ask.",
        "bulkreact prune --older-than 365d --yes": "The same for a schedule.",
    },
    "serve": {
        "bulkreact serve --simulate --open": "Practise in a browser: nothing real happens.",
        "bulkreact serve --reports reports": "For real; the link that is printed signs you in.",
        "bulkreact serve --sign-in entra --check": "Prove that a team could sign in; 'bulkreact guide team-server' sets it up.",
    },
    "login": {
        "bulkreact login --profile contoso": "With a code that any browser takes; the file names tenant and app.",
        "bulkreact login --browser": "Again, through this machine's browser.",
    },
    "logout": {
        "bulkreact logout": "Remove the only sign-in from this machine.",
    },
    "doctor": {
        "bulkreact doctor": "Whether 'bulkreact run' would work here, and what to do if not.",
        "bulkreact doctor --json": "The same for programs.",
    },
    "simulator": {
        "bulkreact simulator": "Serve on port 8080 until Ctrl-C.",
        "bulkreact simulator --faults 0.1 --seed 7": "A tenth of all calls fails, the same ones each time.",
    },
}
