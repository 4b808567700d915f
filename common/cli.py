"""Command lines of the services: shared options, settings from the environment, clear errors.

Each option is also an environment variable, declared nowhere but here: `--base-dir` of the
downloader is `WUBLOADER_DOWNLOADER_BASE_DIR` or, for all services, `WUBLOADER_BASE_DIR`. The long
form wins; ports exist only in the long form, since no two services can share one.
"""

import gc
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from common.daemon import exit_process
from common.errors import ConfigError
from common.logs import LEVELS
from common.segments.path import is_component
from common.times import parse_time

F = TypeVar("F", bound=Callable[..., Any])

_YOUNG_OBJECTS = 10_000
"""So many more than before, and Python's collector looks at them; its own number is 700."""

_OWN_VARIABLE_ONLY = {"port", "metrics_port"}


class ServiceCommand(click.Command):
    """A click command whose parameters are also environment variables."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        _declare_variables(name, self.params)


class ServiceGroup(click.Group):
    """A click group whose own parameters are also environment variables."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        _declare_variables(name, self.params)


def _declare_variables(name: str, params: Iterable[click.Parameter]) -> None:
    service = name.upper().replace(".", "_")  # demo.origin
    for param in params:
        if param.name is None or param.envvar is not None:
            continue
        flag = _flag(param)
        param.envvar = [f"WUBLOADER_{service}_{flag}"]
        if param.name not in _OWN_VARIABLE_ONLY:
            param.envvar.append(f"WUBLOADER_{flag}")
        if isinstance(param, click.Option):
            param.show_envvar = True
            if param.show_default is None:
                param.show_default = True


def _flag(param: click.Parameter) -> str:
    """The name on the command line, as it stands in environment variables."""
    return param.opts[0].lstrip("-").replace("-", "_").upper()


def service_command(name: str) -> Callable[[Callable[..., int]], ServiceCommand]:
    """Decorate the function that runs a service and returns the exit status."""

    def decorate(function: Callable[..., int]) -> ServiceCommand:
        return click.command(name, cls=ServiceCommand)(function)

    return decorate


def service_group(name: str) -> Callable[[Callable[..., None]], ServiceGroup]:
    """Decorate the function that takes what all commands of a group share."""

    def decorate(function: Callable[..., None]) -> ServiceGroup:
        return click.group(name, cls=ServiceGroup)(function)

    return decorate


def main(command: click.Command) -> NoReturn:
    """Run `command` with the process's arguments and end the process.

    A wrong setting is one line on standard error and exit status 2.
    """
    _spare_the_collector()
    status: object = 0
    try:
        status = command.main(prog_name=f"python -m {command.name}", standalone_mode=False)
    except click.ClickException as exc:
        _complain(command, exc.format_message())
        status = 2
    except ConfigError as exc:
        _complain(command, str(exc))
        status = 2
    exit_process(status if isinstance(status, int) else 0)
    raise AssertionError("the process has ended")


def _spare_the_collector() -> None:
    """Python's collector of cycles stops all else. Spare it the modules, which stay and are most of
    what it would look at, and let it come less often: four cuts at once make and drop thousands of
    objects a second, none of them in cycles, and had everyone wait 50 ms each other second.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)


def _complain(command: click.Command, text: str) -> None:
    sys.stderr.write(f"{command.name}: {' '.join(text.split())}\n")


def base_dir_option(function: F) -> F:
    return click.option(
        "--base-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(),
        help="The segment store: the folder that all services of this node share.",
    )(function)


def log_level_option(function: F) -> F:
    return click.option(
        "--log-level",
        type=click.Choice(LEVELS, case_sensitive=False),
        default="INFO",
        help="Log lines of this level and above.",
    )(function)


def database_option(function: F) -> F:
    return click.option(
        "--database",
        required=True,
        metavar="DSN",
        help="Postgres, as a libpq URI or a key=value string.",
    )(function)


def host_option(function: F) -> F:
    return click.option(
        "--host",
        default="0.0.0.0",  # noqa: S104 - a server of a node is for other machines
        help="Listen on this address.",
    )(function)


def port_option(default: int) -> Callable[[F], F]:
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        help="Listen on this port; 0 takes a free one and prints it.",
    )


def metrics_port_option(default: int) -> Callable[[F], F]:
    return click.option(
        "--metrics-port",
        type=click.IntRange(0, 65535),
        default=default,
        help="Serve /metrics, /healthz and /readyz on this port; 0 takes a free one and prints it.",
    )


def split_list(context: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Callback for options that take `a,b,c`. Raises a usage error for an empty list."""
    items = tuple(item.strip() for item in value.split(",") if item.strip())
    if not items:
        raise click.BadParameter("give at least one, separated by commas")
    return items


def components(
    context: click.Context, param: click.Parameter, value: str | tuple[str, ...]
) -> tuple[str, ...]:
    """Callback for names of channels or qualities, each once: `a,b,c`, or arguments."""
    names = split_list(context, param, value) if isinstance(value, str) else value
    for name in names:
        if not is_component(name):
            raise click.BadParameter(f"{name!r} cannot be the name of a folder")
    return tuple(dict.fromkeys(names))


class Moment(click.ParamType[float | int]):
    """Hours ago, or a moment; converted to seconds ago (float) or microseconds (int)."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | int:
        if isinstance(value, float | int):
            return value
        try:
            hours = float(value)
        except ValueError:
            try:
                return parse_time(value)
            except ValueError as exc:
                self.fail(str(exc), param, ctx)
        if not 0 < hours < 1e6:
            self.fail(f"{value} is no number of hours", param, ctx)
        return hours * 3600
