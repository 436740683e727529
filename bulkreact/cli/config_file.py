"""The configuration file: the long options with ``_``, for all commands, for one, and for named profiles.

Secrets are refused; the message says where they belong.
"""

import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from bulkreact import CONFIG_FILE_NAME
from bulkreact.errors import InputRefusedError
from bulkreact.file_access import foreign_access, foreign_writers
from bulkreact.secret_variables import (
    PASSWORD_VARIABLE,
    REFRESH_TOKEN_VARIABLE,
    SECRET_VARIABLE,
    TOKEN_VARIABLE,
    WEB_SECRET_VARIABLE,
)
from bulkreact.wording import shell_quote

_PROFILES = "profiles"
_PROFILE = "profile"
NOT_IN_FILES = frozenset({"config", "profile", "help", "version", "list_all"})
_SECRET = re.compile(
    r"(secret(_?value)?|pass(word|wd|phrase)?|token|bearer|(private|api)_?key|credential)s?$", re.IGNORECASE | re.ASCII
)
_SECRET_LOCATIONS = {
    "web_client_secret": f"{WEB_SECRET_VARIABLE}, or a file that web_client_secret_file names",
    "client_secret": f"{SECRET_VARIABLE}, or a file that client_secret_file names",
    "access_token": TOKEN_VARIABLE,
    "refresh_token": f"{REFRESH_TOKEN_VARIABLE} for one 'bulkreact login', which stores it",
    "certificate_password": f"{PASSWORD_VARIABLE}, or a file that certificate_password_file names",
}
# doctor and plan show what run would do, so they use its table too; audit reads what serve has written.
INCLUDED_TABLES = {"doctor": "run", "plan": "run", "serve": "run", "audit": "serve"}

# The names of each command's long options, by its own.
OptionNames = Mapping[str, Collection[str]]


class FileValue(Struct, frozen=True):
    """A value from the file and the table that has it."""

    value: object
    origin: str


class Configuration(Struct, frozen=True):
    """A configuration file that was read; ``warning`` says who else can change it, if anybody."""

    path: Path
    content: Mapping[str, object]
    warning: str = ""

    def profile(self, name: str | None) -> str | None:
        """Return the profile to use: the named one, else the file's default."""
        chosen = name or self.content.get(_PROFILE)
        profiles = _table(self.content.get(_PROFILES))
        if chosen is None:
            return None
        if not isinstance(chosen, str) or chosen not in profiles:
            known = ", ".join(sorted(profiles)) or "none"
            raise InputRefusedError(
                f"{self.path} has no profile {chosen!r} (it has: {known}).{_suggestion(str(chosen), profiles)}"
            )
        return chosen

    def values(self, command: str, options: Collection[str], profile: str | None) -> dict[str, FileValue]:
        """Return the values for a command's options, by their names; the most specific table wins."""
        values: dict[str, FileValue] = {}
        for origin, table in self._tables(command, profile):
            for key, value in table.items():
                # A table may belong to a command with the name of an option.
                if _is_option(key, options) and not isinstance(value, dict):
                    values[key] = FileValue(value, f"{self.path.name} [{origin}]" if origin else self.path.name)
        return values

    def problems(self, commands: OptionNames) -> list[str]:
        """Return what is wrong with the file, one sentence each."""
        profiles = self.content.get(_PROFILES, {})
        problems = list(_problems(self.content, "", commands, extra={_PROFILES, _PROFILE}))
        if not isinstance(profiles, dict):
            return [*problems, f"{_PROFILES} must be tables like [profiles.contoso]"]
        for name, table in profiles.items():
            if isinstance(table, dict):
                problems.extend(_problems(table, f"{_PROFILES}.{name}", commands, extra=set()))
            else:
                problems.append(f"{_PROFILES}.{name} must be a table: [{_PROFILES}.{name}]")
        return problems

    def _tables(self, command: str, profile: str | None) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Yield the tables for a command, the least specific first."""
        commands = [name for name in (INCLUDED_TABLES.get(command), command) if name]
        roots = [("", self.content)]
        if profile:
            roots.append((f"{_PROFILES}.{profile}", _table(_table(self.content.get(_PROFILES)).get(profile))))
        for origin, root in roots:
            yield origin, root
            for name in commands:
                yield (f"{origin}.{name}" if origin else name), _table(root.get(name))


def read(path: Path | None) -> Configuration | None:
    """Read a configuration file, by default the working directory's; None if there is none.

    A file that was not named is read only if no other user can have written it: it says where tokens and secrets go.
    """
    file = path or Path(CONFIG_FILE_NAME)
    if path is None and not os.path.lexists(file):
        return None
    try:
        if path is None:
            # Before the file is opened: it may be a pipe without a writer.
            _refuse_foreign(file, foreign_access(file.parent), f"of its folder, {file.parent.absolute()}: ")
        with file.open("rb") as handle:
            if path is None:
                _refuse_foreign(file, foreign_access(handle.fileno()))
            writers = foreign_writers(handle.fileno())
            content = tomllib.loads(handle.read().decode("utf-8-sig"))
        return Configuration(file, content, _warning(file, writers))
    except FileNotFoundError:
        raise InputRefusedError(f"There is no configuration file {file}.") from None
    except OSError as error:
        raise InputRefusedError(f"The configuration file {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputRefusedError(f"The configuration file {file} is not TOML: {error}.") from None


def _warning(file: Path, writers: str) -> str:
    remedy = f"and it says where tokens and secrets go. Correct it with: chmod go-w {shell_quote(file)}"
    return f"{file}: {writers}, {remedy}" if writers else ""


def _refuse_foreign(file: Path, reason: str, subject: str = "") -> None:
    if reason:
        raise InputRefusedError(
            f"There is a {file} here that others may have written, so it was not used ({subject}{reason}). If you trust "
            f"it, name it: --config {shell_quote(file)}. Otherwise correct owner and mode, or remove it."
        )


def _problems(table: Mapping[str, object], origin: str, commands: OptionNames, *, extra: set[str]) -> Iterator[str]:
    """Yield what is wrong with a table of keys for all commands, and with the tables of single commands."""
    for key, value in table.items():
        if key in extra:
            continue
        is_table = isinstance(value, dict)
        if isinstance(value, dict) and key in commands:
            inner = f"{origin}.{key}" if origin else key
            yield from (
                _problem_of_key(name, inner, commands[key]) for name in value if not _is_option(name, commands[key])
            )
        elif any(_is_option(key, options) for options in commands.values()):
            if is_table:
                yield f"{_prefix(origin)}{key} must be one value, and no table"
        else:
            known = {name for options in commands.values() for name in options}
            yield _problem_of_key(key, origin, known | set(commands) if is_table else known)


def _is_option(key: str, options: Collection[str]) -> bool:
    return key in options and key not in NOT_IN_FILES


def _problem_of_key(key: str, origin: str, known: Iterable[str]) -> str:
    name = key.lower().removeprefix("bulkreact_")
    if _SECRET.search(key) or name in _SECRET_LOCATIONS:
        location = _SECRET_LOCATIONS.get(name, "the environment, or a file of its own")
        problem = f"secrets do not belong into this file. Put it into {location}; all readers of the file have seen it."
        return f"{_prefix(origin)}{key}: {problem}"
    return f"{_prefix(origin)}{key} is not an option here.{_suggestion(key, set(known) - NOT_IN_FILES)}"


def _prefix(origin: str) -> str:
    return f"[{origin}] " if origin else ""


def _suggestion(name: str, known: Iterable[str]) -> str:
    matches = get_close_matches(name.lower().replace("-", "_"), list(known), n=1)
    return f" Did you mean {matches[0]}?" if matches else ""


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
