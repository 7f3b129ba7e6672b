"""What is written is what was given: the same pictures, tags, times and, every time, the same bytes."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe.errors import DeliveryError
from postpipe.media.colourspec import MATRICES, PRIMARIES, RANGES, TRANSFERS
from postpipe.media.frames import allocate
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.write import Codec, PictureWriter, track_timescale
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame

from .making import BT709, LOSSLESS, NTSC, make, values

SIZE = (64, 48)
SUFFIX = {"h264": "mp4", "h265": "mp4", "prores": "mov", "dnxhr": "mov"}


def frames(
    count: int, name: str = "yuv420p", colour: ColourSpec = BT709, size: tuple[int, int] = SIZE
) -> Iterator[Frame]:
    layout = PIXEL_FORMATS[name]
    for index in range(count):
        frame = allocate(layout, *size, index=index, colour=colour)
        for number, plane in enumerate(frame.planes):
            plane[:] = values(index, number, layout, *size)
        yield frame


def write(
    path: Path,
    pictures: Iterator[Frame] | list[Frame],
    *,
    codec: Codec = "h264",
    name: str = "yuv420p",
    colour: ColourSpec = BT709,
    rate: Fraction = NTSC,
    size: tuple[int, int] = SIZE,
    options: dict[str, str] | None = None,
    threads: int = 1,
) -> Path:
    options = LOSSLESS if options is None and codec == "h264" else options or {}
    with PictureWriter(
        path, width=size[0], height=size[1], rate=rate, pixel_format=PIXEL_FORMATS[name], colour=colour, codec=codec,
        options=options, threads=threads,
    ) as writer:  # fmt: skip
        for frame in pictures:
            writer.write(frame)
    return path


def read(path: Path) -> list[Frame]:
    with PictureReader(probe(path, "")) as reader:
        return list(reader.frames())


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_lossless_round_trip(tmp_path: Path, name: str) -> None:
    back = read(write(tmp_path / "a.mp4", frames(5, name), name=name))
    assert len(back) == 5
    for index, frame in enumerate(back):
        assert frame.pts_seconds == index / NTSC
        for number, plane in enumerate(frame.planes):
            assert np.array_equal(plane, values(index, number, PIXEL_FORMATS[name], *SIZE))


@pytest.mark.parametrize("rate", [Fraction(24), NTSC, Fraction(25), Fraction(8), Fraction(22131, 1000)])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_times_are_whole_ticks(tmp_path: Path, codec: Codec, rate: Fraction) -> None:
    path = write(tmp_path / "a.mp4", frames(20), codec=codec, rate=rate, options={"preset": "veryfast"})
    clip = probe(path, "")
    assert (clip.picture.rate, clip.picture.declared_frames, clip.picture.declared_seconds) == (rate, 20, 20 / rate)
    assert clip.picture.time_base == Fraction(1, track_timescale(rate))
    assert [frame.pts_seconds for frame in read(path)] == [index / rate for index in range(20)]
    assert clip.warnings == ()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("codec", ["h264", "h265", "prores", "dnxhr"])
def test_very_short_units(tmp_path: Path, codec: Codec, count: int) -> None:
    name = "yuv422p10le" if codec in ("prores", "dnxhr") else "yuv420p"
    path = write(
        tmp_path / f"a.{SUFFIX[codec]}", frames(count, name, size=(256, 128)), codec=codec, name=name, size=(256, 128)
    )
    assert [frame.pts_seconds for frame in read(path)] == [index / NTSC for index in range(count)]


COLOURS = [
    ("h264", "yuv420p", "bt709", "limited", "bt709", "bt709"),
    ("h264", "yuv420p", "bt709", "full", "bt709", "iec61966-2-1"),
    ("h264", "yuv444p", "smpte170m", "limited", "smpte170m", "smpte170m"),
    ("h264", "yuv420p10le", "bt2020nc", "limited", "bt2020", "smpte2084"),
    ("h265", "yuv420p10le", "bt2020nc", "limited", "bt2020", "arib-std-b67"),
    ("h265", "yuv420p", "bt470bg", "full", "bt470bg", "bt709"),
    ("prores", "yuv422p10le", "bt709", "limited", "bt709", "bt709"),
    ("prores", "yuv422p10le", "smpte170m", "limited", "smpte170m", "smpte170m"),
    ("prores", "yuv444p10le", "bt2020nc", "limited", "bt2020", "smpte2084"),
    ("dnxhr", "yuv422p", "bt709", "limited", "bt709", "bt709"),
    ("dnxhr", "yuv422p10le", "bt709", "full", "bt709", "bt709"),
]


@pytest.mark.parametrize(("codec", "name", "matrix", "range_", "primaries", "transfer"), COLOURS)
def test_colour_is_tagged_and_flat_patches_survive(
    tmp_path: Path, codec: Codec, name: str, matrix: str, range_: str, primaries: str, transfer: str
) -> None:
    colour = ColourSpec(matrix, range_, primaries, transfer)
    layout = PIXEL_FORMATS[name]
    patches = [(180, 90, 160), (40, 200, 100), (235, 128, 128)]
    frame = allocate(layout, 384, 128, colour=colour)
    for plane, shift in zip(frame.planes, (0, layout.chroma_shift_x, layout.chroma_shift_x), strict=True):
        for place, patch in enumerate(patches):
            number = next(n for n, other in enumerate(frame.planes) if other is plane)
            plane[:, place * (128 >> shift) : (place + 1) * (128 >> shift)] = patch[number] << (layout.bits - 8)
    path = write(
        tmp_path / f"a.{SUFFIX[codec]}", [frame], codec=codec, name=name, colour=colour, size=(384, 128),
        options={"crf": "4", "preset": "ultrafast"} if codec[0] == "h" else None,
    )  # fmt: skip
    assert probe(path, "").picture.colour == colour
    (back,) = read(path)
    for place, patch in enumerate(patches):
        column = place * 128 + 64
        got = [int(back.planes[0][64, column])]
        got += [int(p[64 >> layout.chroma_shift_y, column >> layout.chroma_shift_x]) for p in back.planes[1:]]
        assert np.abs(np.array(got) - np.array(patch) * 2 ** (layout.bits - 8)).max() <= 1
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (MATRICES[matrix], RANGES[range_])
        assert (context.color_primaries, context.color_trc) == (PRIMARIES[primaries], TRANSFERS[transfer])
        assert container.streams.video[0].sample_aspect_ratio in (1, None)


@pytest.mark.parametrize("codec", ["h264", "h265", "prores", "dnxhr"])
def test_colour_stands_in_the_container_too(tmp_path: Path, codec: Codec) -> None:
    name = "yuv422p10le" if codec in ("prores", "dnxhr") else "yuv420p"
    path = write(
        tmp_path / f"a.{SUFFIX[codec]}", frames(1, name, size=(256, 128)), codec=codec, name=name, size=(256, 128)
    )
    data = path.read_bytes()
    at = data.index(b"colr")
    assert data[at + 4 : at + 14] == (b"nclx" if codec[0] == "h" else b"nclc") + bytes([0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("codec", ["h264", "h265", "prores", "dnxhr"])
def test_same_bytes_every_time(tmp_path: Path, codec: Codec, threads: int) -> None:
    name = "yuv422p10le" if codec in ("prores", "dnxhr") else "yuv420p"
    options = {"preset": "fast"} if codec[0] == "h" else None
    first, second = (
        write(
            tmp_path / f"{run}.{SUFFIX[codec]}", frames(12, name, size=(256, 128)), codec=codec, name=name,
            size=(256, 128), options=options, threads=threads,
        ).read_bytes()
        for run in "ab"
    )  # fmt: skip
    assert first == second
    assert b"Lavf" not in first  # nor may the version of the muxer make a difference


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_same_bytes_whatever_memory_held_before(tmp_path: Path, codec: Codec) -> None:
    dice = random.Random(1)
    blocks = np.random.default_rng(1).integers(40, 216, (70, 80)).astype(np.uint8)
    texture = np.kron(blocks, np.ones((8, 8), np.uint8))

    def panning_among_other_work() -> Iterator[Frame]:
        """Motion makes the encoder's look-ahead work; blocks of memory of any content come and go."""
        junk: list[bytes] = []
        for index in range(16):
            frame = allocate(PIXEL_FORMATS["yuv420p"], 320, 240, colour=BT709)
            frame.planes[0][:] = texture[2 * index :][:240, 3 * index : 3 * index + 320]
            frame.planes[1][:] = frame.planes[2][:] = 128
            junk.append(dice.randbytes(dice.randrange(10_000, 1_000_000)))
            if len(junk) > 5:
                junk.pop(dice.randrange(5))
            yield frame

    options = {"preset": "medium" if codec == "h264" else "ultrafast"}
    made = {
        write(
            tmp_path / "a.mp4", panning_among_other_work(), codec=codec, size=(320, 240), options=options
        ).read_bytes()
        for _ in range(8)
    }
    assert len(made) == 1


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_groups_of_pictures_are_closed_and_begin_with_an_idr(tmp_path: Path, codec: Codec) -> None:
    options = {"g": "10", "preset": "medium", codec.replace("h", "x") + "-params": "open-gop=1:scenecut=0"}
    path = write(tmp_path / "a.mp4", frames(40), codec=codec, options=options)
    idr = {"h264": {5}, "h265": {19, 20}}[codec]
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        keys = [packet for packet in packets if packet.is_keyframe]
        assert packets[0].is_keyframe
        assert len(keys) >= 4
        for key in keys:
            assert idr & nal_kinds(bytes(key), codec)
            # Nothing that follows a key frame in the file is shown before it.
            assert all(packet.pts > key.pts for packet in packets[packets.index(key) + 1 :])


def nal_kinds(packet: bytes, codec: str) -> set[int]:
    kinds, at = set(), 0
    while at < len(packet):
        size, head = int.from_bytes(packet[at : at + 4], "big"), packet[at + 4]
        kinds.add(head & 31 if codec == "h264" else head >> 1 & 63)
        at += 4 + size
    return kinds


def test_threads_do_not_cut_pictures_into_slices(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", frames(4, size=(320, 240)), size=(320, 240), options={"crf": "20"}, threads=4)
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            data, at, slices = bytes(packet), 0, 0
            while at < len(data):
                slices += data[at + 4] & 31 in (1, 5)
                at += 4 + int.from_bytes(data[at : at + 4], "big")
            assert slices == (1 if data else 0)


def test_decoded_frames_pass_through_untouched(tmp_path: Path) -> None:
    source = make(tmp_path / "source.mp4", 30, options={"qp": "0", "bf": "3", "g": "5", "preset": "ultrafast"})
    path = tmp_path / "a.mp4"
    with (
        PictureReader(probe(source, "")) as reader,
        PictureWriter(
            path, width=64, height=48, rate=Fraction(24), pixel_format=PIXEL_FORMATS["yuv420p"], colour=BT709,
            options={**LOSSLESS, "g": "100"},
        ) as writer,
    ):  # fmt: skip
        for frame in reader.frames():
            writer.write(frame)
            writer.write(frame)  # shown twice, as in slow motion
    back = read(path)
    assert len(back) == 60
    for index, frame in enumerate(back):
        assert np.array_equal(frame.planes[0], values(index // 2, 0, PIXEL_FORMATS["yuv420p"], *SIZE))
    # The source's key frames are not the delivery's.
    with av.open(str(path)) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size) == 1


def test_planes_of_any_shape_of_memory_are_taken(tmp_path: Path) -> None:
    layout = PIXEL_FORMATS["yuv420p"]
    upright = [values(0, number, layout, 48, 64) for number in range(3)]
    turned = tuple(np.rot90(plane, -1) for plane in upright)
    flipped = tuple(plane[::-1, ::-1] for plane in turned)
    native = next(frames(1))
    pictures = [
        Frame(0, Fraction(0), turned, layout, BT709),  # type: ignore[arg-type]
        Frame(1, Fraction(0), flipped, layout, BT709),  # type: ignore[arg-type]
        replace(native, planes=turned),
    ]
    back = read(write(tmp_path / "a.mp4", pictures))
    for frame, given in zip(back, pictures, strict=True):
        for plane, wanted in zip(frame.planes, given.planes, strict=True):
            assert np.array_equal(plane, wanted)


@pytest.mark.parametrize(
    ("source", "target"), [("yuv444p", "yuv420p"), ("yuv420p", "yuv422p10le"), ("yuv420p10le", "yuv420p")]
)
@pytest.mark.parametrize("range_", RANGES)
def test_other_layouts_are_converted_in_place(tmp_path: Path, source: str, target: str, range_: str) -> None:
    colour = replace(BT709, range=range_)
    frame = allocate(PIXEL_FORMATS[source], *SIZE, colour=colour)
    for plane, value in zip(frame.planes, (150, 90, 170), strict=True):
        plane[:] = value << (frame.pixel_format.bits - 8)
    (back,) = read(write(tmp_path / "a.mp4", [frame], name=target, colour=colour))
    for plane, value in zip(back.planes, (150, 90, 170), strict=True):
        # Full range has no exact counterpart of an 8-bit code in 10 bits.
        wanted = value * (
            1023 / 255 if range_ == "full" and target.endswith("10le") else 2 ** (back.pixel_format.bits - 8)
        )
        assert np.abs(plane.astype(float) - wanted).max() <= 2, (plane[0, 0], wanted)


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    layout = PIXEL_FORMATS["yuv420p"]
    with pytest.raises(ValueError, match="film of"):
        write(path, frames(1, size=(32, 32)))
    with pytest.raises(ValueError, match="smpte170m"):
        write(path, [replace(next(frames(1)), colour=replace(BT709, matrix="smpte170m"))])
    with pytest.raises(ValueError, match="even numbers"):
        write(path, [], size=(63, 48))
    with pytest.raises(ValueError, match="prores_ks does not take yuv420p"):
        write(path, [], codec="prores")
    with pytest.raises(ValueError, match="cannot say that a picture is smpte170m"):
        write(path, [], codec="dnxhr", name="yuv422p", colour=replace(BT709, matrix="smpte170m"), size=(256, 128))
    with pytest.raises(DeliveryError, match="knows no option colour_of_magic"):
        write(path, frames(1), options={"colour_of_magic": "octarine"})
    with pytest.raises(DeliveryError, match="does not take"):
        write(path, frames(1), options={"crf": "lots"})
    with pytest.raises(DeliveryError, match="no frame was written"):
        write(path, [])
    assert not path.exists()
    writer = PictureWriter(path, width=64, height=48, rate=NTSC, pixel_format=layout, colour=BT709)
    writer.write(next(frames(1)))
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(next(frames(1)))


def test_an_exception_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Frame]:
        yield from frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.mp4", broken())
    assert list(tmp_path.iterdir()) == []


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "gone" / "a.mp4", frames(1))


FULL_DISK = """
import resource, signal, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from postpipe.media.join import join
from postpipe.media.sound import SoundBlock
from tests.media.making import NTSC, in_blocks, sine
from tests.media.test_write import frames, write

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
unit = write(folder / "unit.mp4", frames(10))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for attempt in (
    lambda: write(folder / "a.mp4", frames(10)),
    lambda: join([unit], in_blocks(sine(16016)), folder / "b.mp4", rate=NTSC, sound_samples=16016),
):
    try:
        attempt()
    except OSError as error:
        print(error.errno)
print(sorted(path.name for path in folder.iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no file size limit to stand in for a full disk")
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, share: float) -> None:
    import errno

    size = write(tmp_path / "unit.mp4", frames(10)).stat().st_size
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(int(size * share))],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert run.stdout.split("\n")[:3] == [str(errno.EFBIG), str(errno.EFBIG), "['unit.mp4']"]
    assert run.stderr == ""
