"""A command whose options also come from the environment and from the configuration file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from bulkreact.cli import config_file
from bulkreact.cli.config_file import LOOKS_AT, FileValue
from bulkreact.errors import InputRefusedError
from bulkreact.settings import FILE_NAME

_PREFIX = "BULKREACT"
# What was found out before the options were read, for those who ask where a value comes from.
_SETTINGS = "bulkreact.settings"
_GIVEN = "bulkreact.given"


def configuration_options(*, expose: bool) -> list[click.Parameter]:
    """Return the options that say which file and which part of it hold; ``expose`` hands them to the function."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False, path_type=Path),
            envvar=f"{_PREFIX}_CONFIG",
            expose_value=expose,
            help=f"The configuration file.  [default: {FILE_NAME} in this folder, if there is one]",
        ),
        click.Option(
            ["--profile"], envvar=f"{_PREFIX}_PROFILE", expose_value=expose, help="Which of the file's profiles holds."
        ),
    ]


class SharedOption(click.Option):
    """An option of several commands: besides ``BULKREACT_<COMMAND>_<OPTION>`` there is ``BULKREACT_<OPTION>``."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the most special variable that is set."""
        return next((os.environ[name] for name in self.variables(ctx) if os.environ.get(name)), None)

    def variables(self, ctx: click.Context) -> list[str]:
        """Return the names of its variables, the most special first."""
        commands = [name for name in (ctx.info_name, LOOKS_AT.get(str(ctx.info_name)), "") if name is not None]
        return ["_".join(filter(None, (_PREFIX, name.upper(), str(self.name).upper()))) for name in commands]


class ConfiguredCommand(click.Command):
    """A command that reads the configuration file before its other options."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.params = [*self.params, *configuration_options(expose=False)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let the file's values stand in for what neither the command line nor the environment gives."""
        if not ctx.resilient_parsing and not set(args) & set(ctx.help_option_names):
            given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            found = {name: self._early(ctx, name, given) for name in ("config", "profile")}
            settings = _settings(ctx, found["config"], found["profile"])
            ctx.meta[_SETTINGS], ctx.meta[_GIVEN] = settings, given
            ctx.default_map = {name: setting.value for name, setting in settings.items()}
        return super().parse_args(ctx, args)

    def _early(self, ctx: click.Context, name: str, given: Mapping[str, object]) -> str | None:
        """Return one of the two options that must be known first, also where it stands before the command's name."""
        option = next(param for param in self.params if param.name == name)
        value = given.get(name)
        outer = ctx.parent.params.get(name) if ctx.parent else None
        chosen = value if isinstance(value, str) else outer
        return str(chosen) if chosen else option.resolve_envvar_value(ctx)


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Return the long options of a command by the names that the file gives them."""
    return {str(param.name): param for param in command.params if isinstance(param, click.Option)}


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """A value as it was written, None when there is none, and where it comes from."""

    text: str | None
    origin: str


def effective(ctx: click.Context) -> dict[str, EffectiveValue]:
    """Return the options that hold for a command, by their names."""
    return {
        name: _effective(ctx, option)
        for name, option in options_of(ctx.command).items()
        if option.expose_value and not option.is_eager
    }


def _effective(ctx: click.Context, option: click.Option) -> EffectiveValue:
    name = str(option.name)
    settings: Mapping[str, FileValue] = ctx.meta.get(_SETTINGS, {})
    value, source = option.consume_value(ctx, ctx.meta.get(_GIVEN, {}))
    text = None if ctx.params[name] is None else str(value)
    match source:
        case ParameterSource.COMMANDLINE:
            return EffectiveValue(text, "command line")
        case ParameterSource.ENVIRONMENT:
            automatic = [f"{ctx.auto_envvar_prefix}_{name.upper()}"]
            names = option.variables(ctx) if isinstance(option, SharedOption) else automatic
            return EffectiveValue(text, next(one for one in names if os.environ.get(one)))
        case ParameterSource.DEFAULT_MAP:
            return EffectiveValue(text, settings[name].origin)
        case _:
            return EffectiveValue(text, "default" if text is not None else "")


def _settings(ctx: click.Context, path: str | None, profile: str | None) -> dict[str, FileValue]:
    """Return what the file says for a command; InputRefusedError lists everything that is wrong with it."""
    file = config_file.read(Path(path) if path else None)
    if file is None:
        if profile:
            raise InputRefusedError(
                f"--profile {profile} needs a configuration file: {FILE_NAME} in this folder, or --config."
            )
        return {}
    group = ctx.parent.command if ctx.parent else None
    names = group.list_commands(ctx) if isinstance(group, click.Group) else []
    commands = {
        name: options_of(command)
        for name in names
        if isinstance(group, click.Group) and (command := group.get_command(ctx, name))
    }
    problems = file.problems(commands)
    own = options_of(ctx.command)
    settings: dict[str, FileValue] = {}
    if not problems:
        settings = file.settings(str(ctx.info_name), own, file.profile(profile))
        problems = [words for name, one in settings.items() if (words := _wrong_value(ctx, own[name], one))]
    if problems:
        lines = "".join(f"\n  {one}" for one in problems)
        raise InputRefusedError(f"The configuration file {file.path} must be corrected:{lines}")
    return {name: FileValue(_text(own[name], one.value), one.origin) for name, one in settings.items()}


def _wrong_value(ctx: click.Context, option: click.Option, setting: FileValue) -> str:
    """Return what is wrong with a value, empty when it is what the option takes."""
    several = option.multiple and isinstance(setting.value, list)
    for value in setting.value if several else [setting.value]:  # type: ignore[attr-defined]
        if words := _wrong(ctx, option, value):
            return f"{setting.origin}: {option.name}{words}"
    return ""


def _wrong(ctx: click.Context, option: click.Option, value: object) -> str:
    if isinstance(value, bool) != option.is_bool_flag:
        return f" must be {'true or false' if option.is_bool_flag else 'not true or false'}"
    if not isinstance(value, str | int | float):
        return " must be one value"
    try:
        option.type(value if option.is_bool_flag else str(value), option, ctx)
    except click.BadParameter as error:
        return f": {error.message}"
    return ""


def _text(option: click.Option, value: object) -> object:
    """Return a value as the command line would have it."""
    if option.multiple:
        return [str(one) for one in (value if isinstance(value, list) else [value])]
    return value if option.is_bool_flag else str(value)
