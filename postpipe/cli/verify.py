"""`postpipe verify`: what files say of where they come from, and whether it holds."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from postpipe.cli.main import EXIT_INVALID, EXIT_NOTHING, EXIT_SKIPPED
from postpipe.cli.options import print_json

LEVELS = ("valid", "trusted")


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
            manifest = one.manifest
            click.echo(f"{one.state:<11} {path}: {one.words}")
            if manifest is not None:
                time = f", {manifest.signed_at}" if manifest.signed_at else ""
                click.echo(f"{'':<12}made with {manifest.generator}, signed by {manifest.signer}{time}")
    states = [one.state for one in found.values()]
    enough = LEVELS[LEVELS.index(require) :] if require else ()
    if "invalid" in states or (require and any(state not in enough for state in states)):
        sys.exit(EXIT_INVALID)
    unreadable = states.count("unreadable")
    if unreadable:
        sys.exit(EXIT_NOTHING if unreadable == len(states) else EXIT_SKIPPED)
