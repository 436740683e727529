"""The configuration file: the long options with ``_``, for all commands, for one, and for named profiles.

It has no secrets: those are refused with the place where they belong.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import click

from bulkreact.errors import InputRefusedError
from bulkreact.settings import FILE_NAME

_PROFILES = "profiles"
_PROFILE = "profile"
_NOT_IN_FILES = frozenset({"config", "profile", "help", "version"})
_SECRET = re.compile(
    r"(secret(_?value)?|pass(word|wd|phrase)?|token|bearer|(private|api)_?key|credential)s?$", re.IGNORECASE | re.ASCII
)
_PLACES = {
    "client_secret": "BULKREACT_CLIENT_SECRET, or a file that client_secret_file names",
    "access_token": "BULKREACT_ACCESS_TOKEN",
    "refresh_token": "BULKREACT_REFRESH_TOKEN for one 'bulkreact login', which keeps it",
    "certificate_password": "BULKREACT_CERTIFICATE_PASSWORD, or a file that certificate_password_file names",
}
# A settings' table by the command whose settings it is to look at as well: doctor and plan tell what run would do.
LOOKS_AT = {"doctor": "run", "plan": "run"}

# The long options of each command, by its name.
Options = Mapping[str, Mapping[str, click.Option]]


@dataclass(frozen=True, slots=True)
class FileValue:
    """A value from the file and the table that has it."""

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """A file that was read: all that it says, checked against the options that there are."""

    path: Path
    content: Mapping[str, object]

    def profile(self, name: str | None) -> str | None:
        """Return the profile that holds: the one that was asked for, else the file's own choice."""
        chosen = name or self.content.get(_PROFILE)
        profiles = _table(self.content.get(_PROFILES))
        if chosen is None:
            return None
        if not isinstance(chosen, str) or chosen not in profiles:
            known = ", ".join(sorted(profiles)) or "none"
            raise InputRefusedError(
                f"{self.path} has no profile {chosen!r} (it has: {known}).{_nearest(str(chosen), profiles)}"
            )
        return chosen

    def settings(self, command: str, options: Mapping[str, click.Option], profile: str | None) -> dict[str, FileValue]:
        """Return what holds for a command's options, by their names; the more special table wins."""
        found: dict[str, FileValue] = {}
        for origin, table in self._tables(command, profile):
            for key, value in table.items():
                # What is called like an option may also be the table of the command of that name.
                if key in options and key not in _NOT_IN_FILES and not isinstance(value, dict):
                    found[key] = FileValue(value, f"{self.path.name} [{origin}]" if origin else self.path.name)
        return found

    def problems(self, commands: Options) -> list[str]:
        """Return what is wrong with the file, a line each."""
        profiles = self.content.get(_PROFILES, {})
        problems = list(self._strange(self.content, "", commands, also={_PROFILES, _PROFILE}))
        if not isinstance(profiles, dict):
            return [*problems, f"{_PROFILES} must be tables like [profiles.contoso]"]
        for name, table in profiles.items():
            if isinstance(table, dict):
                problems.extend(self._strange(table, f"{_PROFILES}.{name}", commands, also=set()))
            else:
                problems.append(f"{_PROFILES}.{name} must be a table: [{_PROFILES}.{name}]")
        return problems

    def _tables(self, command: str, profile: str | None) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Yield the tables that hold for a command, the weakest first."""
        commands = [one for one in (LOOKS_AT.get(command), command) if one]
        roots = [("", self.content)]
        if profile:
            roots.append((f"{_PROFILES}.{profile}", _table(_table(self.content.get(_PROFILES)).get(profile))))
        for origin, root in roots:
            yield origin, root
            for name in commands:
                yield (f"{origin}.{name}" if origin else name), _table(root.get(name))

    def _strange(self, table: Mapping[str, object], origin: str, commands: Options, *, also: set[str]) -> Iterator[str]:
        """Yield what is wrong with a table that may hold keys for all commands, and tables for single ones."""
        everywhere = {key for options in commands.values() for key in options} - _NOT_IN_FILES
        for key, value in table.items():
            if isinstance(value, dict) and key in commands:
                inner = f"{origin}.{key}" if origin else key
                for name in value:
                    yield from _objections(name, inner, set(commands[key]) - _NOT_IN_FILES)
            elif isinstance(value, dict) and key in everywhere:
                yield f"{_where(origin)}{key} must be one value, and no table"
            elif key not in also:
                yield from _objections(key, origin, everywhere | (set(commands) if isinstance(value, dict) else set()))


def read(path: Path | None) -> Configuration | None:
    """Return a file's configuration, that of the working directory unless one is named; None when there is none."""
    found = path or Path(FILE_NAME)
    try:
        return Configuration(found, tomllib.loads(found.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        if path is None:
            return None
        raise InputRefusedError(f"There is no configuration file {path}.") from None
    except OSError as error:
        raise InputRefusedError(f"The configuration file {found} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputRefusedError(f"The configuration file {found} is not TOML: {error}.") from None


def _objections(key: str, origin: str, known: set[str]) -> Iterator[str]:
    where = _where(origin)
    if key in known:
        return
    if _SECRET.search(key) or key.lower().removeprefix("bulkreact_") in _PLACES:
        place = _PLACES.get(key.lower().removeprefix("bulkreact_"), "the environment, or a file of its own")
        yield f"{where}{key}: secrets do not belong into this file. Put it into {place}; whoever read the file has seen it."
    else:
        yield f"{where}{key} is not an option here.{_nearest(key, known)}"


def _where(origin: str) -> str:
    return f"[{origin}] " if origin else ""


def _nearest(name: str, known: Mapping[str, object] | set[str]) -> str:
    near = get_close_matches(name.lower().replace("-", "_"), list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
