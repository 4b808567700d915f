"""docs/SETTINGS.md has every setting of every command, with its variables and its default."""

import importlib
from pathlib import Path

import click
import pytest

from tests.support.documents import read_document, sections, table_rows
from tests.support.processes import ROOT

DOCUMENT = sections(read_document("docs/SETTINGS.md"), level=2)

MODULES = [
    *sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for pattern in ("*/cli.py", "demo/*/cli.py")
        for path in ROOT.glob(pattern)
        if path.parent.name != "common"
    ),
    "demo.runner",
    "thrimshim.tokens",
]


def command_of(module: str) -> click.Command:
    command = importlib.import_module(module).command
    assert isinstance(command, click.Command)
    return command


def default_of(param: click.Parameter) -> str:
    """As the document writes it."""
    if param.required:
        return "required"
    shown = getattr(param, "show_default", None)
    if isinstance(shown, str):
        return shown
    if getattr(param, "is_flag", False):
        return "off"
    default = param.get_default(click.Context(click.Command("none")), call=False)
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`" if isinstance(default, str | int | Path) and default != "" else "none"


def expected_rows(command: click.Command) -> set[tuple[str, str, str]]:
    rows = set()
    for param in command.params:
        name = (
            param.opts[0]
            if isinstance(param, click.Option)
            else param.make_metavar(click.Context(command))
        )
        variables = [param.envvar] if isinstance(param.envvar, str) else param.envvar or []
        shown = ", ".join(f"`{variable}`" for variable in variables) or "none"
        rows.add((f"`{name}`", shown, default_of(param)))
    return rows


@pytest.mark.parametrize("module", MODULES)
def test_each_setting_is_described(module: str) -> None:
    command = command_of(module)
    assert command.name in DOCUMENT
    documented = {(row[0], row[1], row[2]) for row in table_rows(DOCUMENT[command.name])}
    assert documented == expected_rows(command)


def test_no_command_is_described_that_does_not_exist() -> None:
    assert set(DOCUMENT) == {command_of(module).name for module in MODULES}
