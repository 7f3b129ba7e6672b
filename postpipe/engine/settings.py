"""Stages and their parameters: found through entry points, filled from `postpipe.toml` and the command line."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec

from postpipe.documents import DocumentError, parse_toml, read_text, toml_line
from postpipe.engine.stage import Stage
from postpipe.engine.values import brief, entry_type, faults, printable, read_value, words
from postpipe.errors import SettingsError
from postpipe.timing import format_rate

ENTRY_POINTS = "postpipe.stages"


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place: `source` is how that place is named in messages, `values` section → key → value.

    With `text` the values are strings from a command line and are read as what the parameter expects. `document`
    is the TOML that the values come from: messages say on which of its lines a key stands.
    """

    source: str
    values: Mapping[str, Any]
    text: bool = False
    document: str = ""

    def place(self, *route: str) -> str:
        """Return how a section, or a key in it, is named in messages."""
        line = toml_line(self.document, route) if self.document else None
        return self.source if line is None else f"{self.source}, line {line}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a section: its type with constraints, default, and what it means."""

    section: str
    key: str
    type: Any
    default: Any
    help: str
    is_table: bool = False
    entry: str = "scene"

    @property
    def flag(self) -> str:
        """The command-line option: `[deliver] crf` is `--deliver-crf`."""
        name = self.section if self.is_table else f"{self.section}-{self.key}"
        return "--" + name.replace("_", "-")

    @property
    def metavar(self) -> str:
        """What a value looks like, for the command line."""
        if self.is_table:
            return f"{self.entry.upper()}.KEY=VALUE" if self.fields else f"{self.entry.upper()}=TAKE"
        return "|".join(words(self.type))

    @property
    def fields(self) -> dict[str, Parameter]:
        """The keys of each entry of a table whose entries are tables, by name; else none."""
        item = entry_type(self.type) if self.is_table else None
        if not (isinstance(item, type) and issubclass(item, msgspec.Struct)):
            return {}
        hints = typing.get_type_hints(item, include_extras=True)
        return {
            field.encode_name: Parameter(
                self.section, field.encode_name, hints[field.name], field.default, _help(hints[field.name])
            )
            for field in msgspec.structs.fields(item)
        }


def _help(hint: Any) -> str:
    """Return the description that stands with a type."""
    meta = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, msgspec.Meta)]
    return next((m.description for m in meta if m.description), "")


@functools.cache
def stage_types() -> list[type[Stage]]:
    """Return every stage class that is installed; the built-in ones come in by the same door as plug-ins.

    An entry point of the group `postpipe.stages` names a tuple of stage classes.
    """
    found: list[type[Stage]] = []
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            found += entry.load()
        except Exception as error:  # a plug-in may fail in any way; its name is what the user needs
            raise SettingsError([f"the plug-in {entry.name} ({entry.value}) does not load: {error}"]) from error
    return found


def parameters(types: Iterable[type[Stage]]) -> list[Parameter]:
    """Return every parameter of the given stages, in the order of sections and fields."""
    found: dict[tuple[str, str], Parameter] = {}
    for type_ in types:
        for parameter in _parameters(type_):
            found.setdefault((parameter.section, parameter.key), parameter)
    return list(found.values())


@functools.cache
def _parameters(type_: type[Stage]) -> tuple[Parameter, ...]:
    if type_.section is None:
        return ()
    hints = typing.get_type_hints(type_, include_extras=True)
    found = []
    for field in (one for one in dataclasses.fields(type_) if one.init):
        hint = hints[field.name]
        default = field.default_factory() if callable(field.default_factory) else field.default
        table = type_.open_field == field.name
        found.append(Parameter(type_.section, field.name, hint, default, _help(hint), table, type_.open_entry))
    return tuple(found)


def configure(types: Sequence[type[Stage]], layers: Sequence[Layer]) -> list[Stage]:
    """Return one instance of each stage, its fields filled from the layers (later ones win).

    Raises `SettingsError` naming every unknown section or key and every wrong value.
    """
    problems: list[str] = []
    known = {(p.section, p.key): p for p in parameters(types)}
    values: dict[tuple[str, str], Any] = {}
    origins: dict[tuple[str, str], Layer] = {}
    for layer in layers:
        for section, key, value, raw in _settings(layer, known, problems):
            table = known[section, key].is_table
            values[section, key] = _over(values.get((section, key), {}), value, raw) if table else value
            origins[section, key] = layer
    stages: list[Stage] = []
    for type_ in types:
        section = type_.section or ""
        fields = dataclasses.fields(type_)
        try:
            stages.append(type_(**{f.name: values[section, f.name] for f in fields if (section, f.name) in values}))
        except ValueError as error:  # a __post_init__ that checks several fields; its text begins with the key
            key = str(error).partition(" ")[0]
            origin = origins.get((section, key))
            fault = f"[{section}] {_cut(str(error))}"
            problems.append(f"{origin.place(section, key)}: {fault}" if origin else fault)
    if problems:
        raise SettingsError(list(dict.fromkeys(problems)))  # what several stages have in common is said once
    return stages


def setting(stages: Iterable[Stage], section: str, key: str) -> Any:
    """Return the value of a key of the settings."""
    return next(getattr(stage, key) for stage in stages if stage.section == section and hasattr(stage, key))


def _cut(text: str) -> str:
    """Return a sentence without its middle where a value of the user's makes it very long."""
    return text if len(text) <= 300 else f"{text[:100]}…{text[-150:]}"


def _settings(
    layer: Layer, known: Mapping[tuple[str, str], Parameter], problems: list[str]
) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield section, key, value, and the value as it was written; what is wrong with the others goes to `problems`."""
    sections = sorted({section for section, _ in known})
    for section, table in layer.values.items():
        if section not in sections:
            near = _nearest(section, sections)
            problems.append(f"{layer.place(section)}: there is no section [{printable(section)}]{near}")
        elif not isinstance(table, Mapping):
            problems.append(f"{layer.place(section)}: expected [{section}] and keys below it, found {brief(table)}")
        else:
            for key, value in _entries(section, table, known.values()):
                parameter = known.get((section, key))
                if parameter is None:
                    near = _nearest(key, [k for s, k in known if s == section])
                    problems.append(f"{layer.place(section, key)}: [{section}] has no key {brief(key)}{near}")
                    continue
                try:
                    yield section, key, read_value(parameter.type, value, text=layer.text), value
                except (msgspec.ValidationError, ValueError) as error:
                    route = () if parameter.is_table else (key,)
                    for at, item, expected in faults(parameter.type, value, route, error, text=layer.text):
                        name = f"[{section}] {printable('.'.join(at))} = {brief(item)}"
                        problems.append(f"{layer.place(section, *at)}: {name}: {expected}")


def _entries(section: str, table: Mapping[str, Any], known: Iterable[Parameter]) -> Iterable[tuple[str, Any]]:
    """Return the keys and values of a section; an open one is the value of its one parameter."""
    open_ = next((p.key for p in known if p.section == section and p.is_table), None)
    return table.items() if open_ is None else [(open_, dict(table))]


def _over(below: dict[str, Any], table: dict[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table laid over the one of an earlier layer: entry by entry, and key by key where they have keys."""
    merged = dict(below)
    for name, entry in table.items():
        if isinstance(entry, msgspec.Struct) and name in below:
            given = {
                f.name: getattr(entry, f.name) for f in msgspec.structs.fields(entry) if f.encode_name in raw[name]
            }
            merged[name] = msgspec.structs.replace(below[name], **given)
        else:
            merged[name] = entry
    return merged


def read_config(path: Path) -> Layer:
    """Return the settings of a TOML file. Raises `SettingsError` naming the file and the line."""
    try:
        text = read_text(path)
        return Layer(path.name, parse_toml(text), document=text)
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read ({error.strerror}); check the name given to --config"]) from error
    except DocumentError as error:
        raise SettingsError([f"{path}: {error}"]) from error


def default_config(types: Sequence[type[Stage]]) -> str:
    """Return a commented `postpipe.toml` with every key at its default."""
    lines = ["# Settings of this folder of takes. Every key is optional; what stands here is the default.", ""]
    section = None
    for parameter in sorted(parameters(types), key=lambda p: p.section):
        if parameter.section != section:
            section = parameter.section
            lines += [f"[{section}]"]
        lines += [
            f"# {parameter.help}" if parameter.help else "#",
            f"# {parameter.key} = {_toml(parameter.default)}",
            "",
        ]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if value is None:
        return '""  (unset)'
    if isinstance(value, Fraction):
        return f'"{format_rate(value)}"'
    return json.dumps(value, ensure_ascii=False)  # strings, numbers, booleans and lists are written alike in TOML


def _nearest(word: object, known: Sequence[str]) -> str:
    match = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {match[0]!r}?" if match else f"; known: {', '.join(sorted(known))}"
