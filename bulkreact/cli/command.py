"""Commands whose options also come from the environment and the configuration file."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from msgspec import Struct

from bulkreact import CONFIG_FILE_NAME
from bulkreact.cli import config_file
from bulkreact.cli.config_file import INCLUDED_TABLES, NOT_IN_FILES, Configuration, FileValue
from bulkreact.cli.help_text import suggest_option, write_examples, write_options, write_run_names
from bulkreact.cli.options.configuration import PREFIX, configuration_options
from bulkreact.cli.options.help_groups import RUN_METAVAR
from bulkreact.cli.options.option_names import OPTION_NAMES
from bulkreact.cli.options.paths import OutputFile
from bulkreact.cli.output import json_log
from bulkreact.errors import InputRefusedError
from bulkreact.timestamps import utc_now

if TYPE_CHECKING:
    from bulkreact.partnercenter.auth.access import AuthorizedAccess
    from bulkreact.runs.control_folder import ControlFolder

_WEBHOOKS = ("ping", "notify_url")
_ADDRESSES = ("base_url", "authority", *_WEBHOOKS)


class SharedOption(click.Option):
    """An option of several commands: besides ``BULKREACT_<COMMAND>_<OPTION>`` it reads ``BULKREACT_<OPTION>``."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the most specific variable that is set."""
        return next((os.environ[name] for name in self.envvar_names(ctx) if os.environ.get(name)), None)

    def envvar_names(self, ctx: click.Context) -> list[str]:
        """Return the names of its variables, the most specific first."""
        commands = [name for name in (ctx.info_name, INCLUDED_TABLES.get(str(ctx.info_name)), "") if name is not None]
        return ["_".join(filter(None, (PREFIX, name.upper(), str(self.name).upper()))) for name in commands]


class CommandContext(click.Context):
    """The context of a command, with its options as given, and its authorized access."""

    config: Configuration | None = None
    file_values: Mapping[str, FileValue] = {}
    command_line: Mapping[str, object] = {}
    access: "AuthorizedAccess | None" = None
    control: "ControlFolder | None" = None


class ConfiguredCommand(click.Command):
    """A command that reads the configuration file before its other options."""

    context_class = CommandContext

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.params = [*self.params, *configuration_options(expose=False)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Use the file's values for options given neither on the command line nor in the environment."""
        reads_file = not ctx.resilient_parsing and not set(args) & set(ctx.help_option_names)
        if reads_file and isinstance(ctx, CommandContext):
            try:
                ctx.command_line, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            except click.NoSuchOption as error:
                suggest_option(error, [name for option in _options_of(self).values() for name in option.opts], ctx)
            path, profile = (self._early_option_value(ctx, name) for name in ("config", "profile"))
            # A file has nothing for a command without such options.
            if path or profile or not _options_of(self).keys() <= NOT_IN_FILES:
                ctx.config = config_file.read(Path(path) if path else None)
                ctx.file_values = _file_values(ctx, ctx.config, profile)
            ctx.default_map = {name: value.value for name, value in ctx.file_values.items()}
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            option = error.param
            is_read = option and ctx.get_parameter_source(str(option.name)) is ParameterSource.ENVIRONMENT
            if isinstance(option, click.Option) and is_read:
                error.param_hint = _variable_of(ctx, option)
            raise

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, and how it names a run if it takes one."""
        super().format_help_text(ctx, formatter)
        if any(param.metavar == RUN_METAVAR for param in self.params):
            write_run_names(formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in groups."""
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(str(ctx.info_name), formatter)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, unless an output of it would be written over something else."""
        if any(isinstance(param.type, OutputFile) and ctx.params.get(str(param.name)) for param in self.params):
            from bulkreact.cli.options.output_check import refuse_unsafe_outputs  # noqa: PLC0415 - loads the application

            refuse_unsafe_outputs(ctx)
        if isinstance(ctx, CommandContext) and ctx.config:
            _report_configuration(ctx, ctx.config)
        folder = ctx.params.get("control")
        if not isinstance(ctx, CommandContext) or not isinstance(folder, Path):
            return super().invoke(ctx)
        from bulkreact.runs.control_folder import ControlFolder  # noqa: PLC0415 - loads the application

        ctx.control = ControlFolder(folder, utc_now)
        with ctx.control.watching():
            return super().invoke(ctx)

    def _early_option_value(self, ctx: CommandContext, name: str) -> str | None:
        """Return --config or --profile, which may also come before the command's name."""
        option = next(param for param in self.params if param.name == name)
        value = ctx.command_line.get(name)
        outer = ctx.parent.params.get(name) if ctx.parent else None
        chosen = value if isinstance(value, str) else outer
        return str(chosen) if chosen else option.resolve_envvar_value(ctx)


def control_of(ctx: click.Context) -> "ControlFolder | None":
    """Return the folder through which another program watches a command, None if there is none."""
    return ctx.control if isinstance(ctx, CommandContext) else None


def _report_configuration(ctx: CommandContext, file: Configuration) -> None:
    """Warn of a file that others can write to, and name one that sets addresses; webhooks are as good as passwords."""
    log_format = str(ctx.params.get("log_format", "text"))
    if file.warning:
        json_log.warn(log_format, file.warning)
    names = [name for name in _ADDRESSES if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP]
    addresses = [f"{name} = {ctx.params[name]}" if name not in _WEBHOOKS else name for name in names]
    if addresses and not ctx.params.get("quiet"):
        json_log.inform(log_format, f"{file.path.absolute()} sets addresses: {', '.join(addresses)}.")


def _options_of(command: click.Command) -> dict[str, click.Option]:
    return {str(param.name): param for param in command.params if isinstance(param, click.Option)}


class EffectiveValue(Struct, frozen=True):
    """A value as given, None if there is none, and its source."""

    text: str | None
    origin: str


def effective(ctx: click.Context) -> dict[str, EffectiveValue]:
    """Return the effective options of a command by their names."""
    if not isinstance(ctx, CommandContext):
        raise TypeError("only a ConfiguredCommand knows where its options come from")
    return {
        name: _effective(ctx, option)
        for name, option in _options_of(ctx.command).items()
        if option.expose_value and not option.is_eager
    }


def _effective(ctx: CommandContext, option: click.Option) -> EffectiveValue:
    name = str(option.name)
    match ctx.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            value, origin = ctx.command_line.get(name), "command line"
        case ParameterSource.ENVIRONMENT:
            value, origin = option.value_from_envvar(ctx), _variable_of(ctx, option)
        case ParameterSource.DEFAULT_MAP:
            value, origin = ctx.file_values[name].value, ctx.file_values[name].origin
        case _:
            is_set = ctx.params[name] is not None
            value, origin = option.get_default(ctx) if is_set else None, "default" if is_set else ""
    # What was given may mean none, like a rate of off.
    return EffectiveValue(None if value is None else str(value), origin)


def _variable_of(ctx: click.Context, option: click.Option) -> str:
    """Return the name of the variable that an option's value comes from."""
    automatic = [f"{ctx.auto_envvar_prefix}_{str(option.name).upper()}"]
    names = option.envvar_names(ctx) if isinstance(option, SharedOption) else automatic
    return next(variable for variable in names if os.environ.get(variable))


def own_options(ctx: click.Context, names: Iterable[str]) -> tuple[str, ...]:
    """Return those options that no other command gets by itself, as on the command line; paths are absolute."""
    options = _options_of(ctx.command)
    values = {name: value for name in names if (value := _own_value(ctx, name, options[name])) is not None}
    paths = {name: value.absolute() for name, value in values.items() if isinstance(value, Path)}
    return tuple(text for name, value in (values | paths).items() for text in (options[name].opts[0], str(value)))


def _own_value(ctx: click.Context, name: str, option: click.Option) -> object:
    """Return the value given on the command line, or in a variable or table of this command alone; None for no such."""
    command, parent = str(ctx.info_name), ctx.parent
    if not option.expose_value and isinstance(ctx, CommandContext):
        is_before = parent and parent.get_parameter_source(name) is ParameterSource.COMMANDLINE
        value = ctx.command_line.get(name) or (parent.params[name] if parent and is_before else None)
        return Path(str(value)) if value and isinstance(option.type, click.Path) else value
    origin = effective(ctx)[name].origin
    own = (
        origin == "command line"
        or f"_{command.upper()}_" in origin
        or origin.endswith((f"[{command}]", f".{command}]"))
    )
    return ctx.params[name] if own else None


def _file_values(ctx: click.Context, file: Configuration | None, profile: str | None) -> dict[str, FileValue]:
    """Return the file's values for a command; InputRefusedError lists everything wrong with the file."""
    if file is None:
        if profile:
            raise InputRefusedError(
                f"--profile {profile} needs a configuration file: {CONFIG_FILE_NAME} in this folder, or --config."
            )
        return {}
    own = _options_of(ctx.command)
    # This command first: its names are suggested first.
    problems = file.problems({str(ctx.info_name): own.keys(), **OPTION_NAMES})
    values: dict[str, FileValue] = {}
    if not problems:
        values = file.values(str(ctx.info_name), own, file.profile(profile))
        problems = [problem for name, value in values.items() if (problem := _problem(ctx, own[name], value))]
    if problems:
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise InputRefusedError(f"The configuration file {file.path} must be corrected:{listed}")
    return {
        name: FileValue(_as_on_command_line(own[name], value.value), value.origin) for name, value in values.items()
    }


def _problem(ctx: click.Context, option: click.Option, setting: FileValue) -> str:
    """Return what is wrong with a value, empty if the option accepts it."""
    values = setting.value if option.multiple and isinstance(setting.value, list) else [setting.value]
    problems = (_problem_of_value(ctx, option, value) for value in values)
    return next((f"{setting.origin}: {option.name}{problem}" for problem in problems if problem), "")


def _problem_of_value(ctx: click.Context, option: click.Option, value: object) -> str:
    if isinstance(value, bool) != option.is_bool_flag:
        return f" must be {'true or false' if option.is_bool_flag else 'not true or false'}"
    if not isinstance(value, str | int | float):
        return " must be one value"
    try:
        option.type(value if option.is_bool_flag else str(value), option, ctx)
    except click.BadParameter as error:
        return f": {error.message}"
    return ""


def _as_on_command_line(option: click.Option, value: object) -> object:
    if option.multiple:
        return [str(item) for item in (value if isinstance(value, list) else [value])]
    return value if option.is_bool_flag else str(value)
