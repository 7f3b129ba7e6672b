"""`postpipe doctor`: what is installed, and what works."""

from __future__ import annotations

import click


@click.command("doctor")
def command() -> None:
    """Say what is installed, which encoders have really encoded a frame here, and where things are kept."""
    import platform
    from importlib import metadata

    import av
    from postpipe_kernels import cache_directory

    from postpipe import __version__
    from postpipe.engine.settings import ENTRY_POINTS
    from postpipe.media.encoders import PICTURE_CODECS, SOUND_CODECS, check
    from postpipe.models import MODELS

    click.echo(f"postpipe {__version__} · Python {platform.python_version()} · {platform.platform()}")
    for library in "av numpy numba opencv-python-headless scipy scikit-image librosa c2pa-python".split():
        click.echo(f"  {library:<24}{metadata.version(library)}")
    versions = av.library_versions
    click.echo(f"  {'libavcodec':<24}{'.'.join(map(str, versions['libavcodec']))} (bundled with av)")
    click.echo(f"kernels are cached in {cache_directory()}")
    click.echo("models of yours (postpipe models add):")
    for model in MODELS:
        kept = model.state == "kept"
        click.echo(f"  {model.name:<24}{f'{model.path}, sha256 {model.digest}' if kept else model.state}")
    click.echo("encoders (each was asked to encode a frame):")
    for codec in (*PICTURE_CODECS, *SOUND_CODECS):
        fault = check(codec)
        click.echo(f"  {codec:<24}{'works' if fault is None else fault}")
    click.echo("stages come from:")
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        click.echo(f"  {entry.name:<24}{entry.value}")
