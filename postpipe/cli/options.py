"""Options that several commands share: those of the stages, made from their parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from postpipe.engine.settings import Layer, Parameter, parameters, stage_types

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Settings file; default: postpipe.toml in the folder of takes.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON on stdout, progress as JSON lines on stderr."
)
store_option = click.option(
    "--store", type=click.Path(path_type=Path), help="Where measurements and rendered pieces are kept."
)
jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 256), help="Clips worked on at once; default: one per core."
)


def _names(context: click.Context, parameter: click.Parameter, text: str | None) -> list[str] | None:
    return None if text is None else [name for name in text.replace(" ", "").split(",") if name]


only_option = click.option(
    "--only", metavar="FIX,…", callback=_names, help='Apply no other fixes than these; none: --only "".'
)


def stage_options(function: FunctionT) -> FunctionT:
    """Add one option for each parameter of each stage: `[deliver] crf` becomes `--deliver-crf`."""
    for parameter in sorted(parameters(stage_types()), key=lambda p: (p.section, p.key), reverse=True):
        function = click.option(
            parameter.flag,
            _destination(parameter),
            multiple=parameter.is_table,
            metavar=parameter.metavar,
            help=parameter.help,
        )(function)
    return function


def stage_layer(options: dict[str, Any]) -> Layer:
    """Return the settings that the options of `stage_options` gave, in the form of a file's."""
    values: dict[str, dict[str, Any]] = {}
    for parameter in parameters(stage_types()):
        given = options.get(_destination(parameter))
        if given is None or given == ():
            continue
        section = values.setdefault(parameter.section, {})
        if parameter.is_table:
            for text in given:
                _enter(section, parameter, text)
        else:
            section[parameter.key] = given
    return Layer("command line", values, text=True)


def _enter(section: dict[str, Any], parameter: Parameter, text: str) -> None:
    """Put `SCENE=VALUE` or `SCENE.KEY=VALUE` into a section; a scene's name may hold any character but `=`."""
    name, separator, value = text.partition("=")
    scene, dot, key = name.rpartition(".") if parameter.fields else (name, "", "")
    if not separator or (parameter.fields and not dot):
        raise click.UsageError(f"{parameter.flag} {text!r}: expected {parameter.metavar}")
    if dot:
        section.setdefault(scene, {})[key] = value
    else:
        section[scene] = value


def _destination(parameter: Parameter) -> str:
    return f"stage_{parameter.section}_{parameter.key}"


def print_json(document: object) -> None:
    """Print a document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
