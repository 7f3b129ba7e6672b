"""`postpipe verify`: what files say of where they come from, and whether it holds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from postpipe.cli.main import EXIT_INVALID, EXIT_NOTHING, EXIT_SKIPPED
from postpipe.cli.options import print_json
from postpipe.provenance import Check, Manifest

LEVELS = ("valid", "trusted")
MADE_OF = {"parentOf": "made from", "componentOf": "contains", "inputTo": "made with the help of"}


@click.command("verify")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--trust-list",
    "trust_lists",
    type=click.Path(path_type=Path),
    multiple=True,
    help="PEM file of authorities whose signers are trusted; several are one list.",
)
@click.option(
    "--time-stamp-list",
    "time_stamp_lists",
    type=click.Path(path_type=Path),
    multiple=True,
    help="PEM file of authorities whose time stamps are trusted.",
)
@click.option("--network", is_flag=True, help="Fetch manifests that are kept elsewhere; ask for revoked certificates.")
@click.option("--require", type=click.Choice(LEVELS), help="End with 5 where a file is not at least that.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def command(
    files: tuple[Path, ...],
    trust_lists: tuple[Path, ...],
    time_stamp_lists: tuple[Path, ...],
    network: bool,
    require: str | None,
    as_json: bool,
) -> None:
    """Validate the C2PA manifests of FILES. Nothing is fetched, unless you ask for it with --network.

    \b
    absent       no manifest
    valid        intact; the signer is on no trust list that was given
    trusted      intact, and the signer is on a trust list
    invalid      does not validate; the words say which check failed
    unsupported  a kind of file in which no manifest is looked for
    unreadable   cannot be read

    Exit codes: 0 none is invalid, 3 some files cannot be read, 4 none can, 5 some are invalid or less than --require.
    """
    from postpipe import api

    found = api.verify(files, trust_lists=trust_lists, time_stamp_lists=time_stamp_lists, network=network)
    if as_json:
        print_json([{"file": str(path), **one.summary()} for path, one in found.items()])
    else:
        for path, one in found.items():
            click.echo(f"{one.state:<11} {path}: {one.words}")
            for line in _said(one.manifest) if one.manifest else ():
                click.echo(f"{'':<12}{line}")
    states = [one.state for one in found.values()]
    enough = LEVELS[LEVELS.index(require) :] if require else ()
    if "invalid" in states or (require and any(state not in enough for state in states)):
        sys.exit(EXIT_INVALID)
    unreadable = states.count("unreadable")
    if unreadable:
        sys.exit(EXIT_NOTHING if unreadable == len(states) else EXIT_SKIPPED)


def _said(manifest: Manifest) -> Iterator[str]:
    """Yield what a manifest says, line by line; what it was made of, and that was made of, is set in."""
    yield _makers(manifest)
    if manifest.says_ai:
        yield "it says that it, or something in it, was made by generative AI"
    if manifest.actions:
        counted = Counter(action.removeprefix("c2pa.") for action in manifest.actions)
        yield "done: " + ", ".join(f"{name} ({count} times)" if count > 1 else name for name, count in counted.items())
    for one in manifest.ingredients:
        failed = dict.fromkeys(Check.of(code).sentence() for code in one.failures if not Check.of(code).tolerated)
        found = "no C2PA manifest" if one.state == "absent" else one.state + "".join(f": {words}" for words in failed)
        yield f"{MADE_OF.get(one.relationship or '', 'made of')} {one.title}: {found}"
        if one.state != "absent":
            yield from (f"  {line}" for line in _said(one))


def _makers(manifest: Manifest) -> str:
    time = f", {manifest.signed_at}" if manifest.signed_at else ""
    return f"made with {manifest.generator}, signed by {manifest.signer}{time}"
