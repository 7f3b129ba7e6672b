"""What is not a video is refused in words, and no name means anything but itself."""

from __future__ import annotations

import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe.errors import TakeError
from postpipe.media.open import file_url, open_take
from postpipe.media.probe import probe

from .making import make


def refusal(path: Path) -> TakeError:
    with pytest.raises(TakeError) as caught:
        probe(path, "")
    assert caught.value.path == path
    assert caught.value.remedy
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.mp4").fault == "there is no such file"


def test_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path).fault == "this is a folder, not a file"


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert refusal(path).fault == "the file is empty"


def test_dangling_link(tmp_path: Path) -> None:
    path = tmp_path / "link.mp4"
    path.symlink_to(tmp_path / "gone.mp4")
    assert refusal(path).fault == "the link points at a file that is gone"


def test_link_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "loop.mp4"
    path.symlink_to(path)
    assert "cannot be reached" in refusal(path).fault


def test_nul_in_the_name(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match="cannot be reached"):
        open_take(tmp_path / "a\0b.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    assert refusal(path).fault == "this is a pipe or device, not a file"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_device() -> None:
    assert refusal(Path("/dev/zero")).fault == "this is a pipe or device, not a file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = make(tmp_path / "secret.mp4", 1)
    path.chmod(0)
    assert "cannot be read" in refusal(path).fault


def test_text_named_video(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("take 3 was better\n" * 50)
    assert refusal(path).fault == "this is a text file, not a video"


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{other}'\n",
        "file '{other}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ],
    ids=["hls", "ffconcat", "concat", "sdp"],
)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ffconcat"])
def test_playlists_open_nothing_else(tmp_path: Path, text: str, suffix: str) -> None:
    other = make(tmp_path / "other.mp4", 1)
    path = tmp_path / f"list.{suffix}"
    path.write_text(text.format(other=other))
    assert refusal(path).fault == "this is a text file, not a video"


def test_still_picture(tmp_path: Path) -> None:
    path = tmp_path / "still.mp4"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    assert refusal(path).fault == "this is a picture file, not a video"


def test_zeros(tmp_path: Path) -> None:
    path = tmp_path / "zeros.mp4"
    path.write_bytes(bytes(10_000))
    assert "nothing but zeros" in refusal(path).fault


def test_noise(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(bytes((7 * i * i + 3 * i) % 251 for i in range(10_000)))
    assert "damaged or of a kind that cannot be read" in refusal(path).fault


def test_index_missing(tmp_path: Path) -> None:
    path = make(tmp_path / "cut.mp4", 6)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = refusal(path)
    assert error.fault == "the file is cut off or was not finished: it has no index (moov)"
    assert error.remedy == "export or download it again"


def test_index_incomplete(tmp_path: Path) -> None:
    path = make(tmp_path / "cut.mp4", 6)
    path.write_bytes(path.read_bytes()[:-500])
    assert refusal(path).fault == "the file is cut off: at least 500 bytes are missing at its end"


def test_cut_off_behind_the_index_can_be_read(tmp_path: Path) -> None:
    path = make(tmp_path / "cut.mp4", 6, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-100])
    assert "the file is cut off: at least 100 bytes are missing at its end" in probe(path, "").warnings


def test_sound_alone(tmp_path: Path) -> None:
    path = make(tmp_path / "both.mkv", 2, sounds=[("pcm_s16le", 48000, np.zeros((4800, 1), np.float32), Fraction(0))])
    alone = tmp_path / "sound.mkv"
    with av.open(str(path)) as source, av.open(str(alone), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert refusal(alone).fault == "there is no moving picture in it"


@pytest.mark.parametrize(
    "name",
    [
        "http:foo.mp4",
        "https%3A%2F%2Fexample.com.mp4",
        "concat:a.mp4|b.mp4",
        "file:x.mp4",
        "pipe:0.mp4",
        "-i.mp4",
        "take_%03d.mp4",
        "take 'final' \"2\" & $HOME #3 100% Ünïcödé 🎬.mp4",
        "a?b=c;d.mp4",
        "[take].mp4",
        "new\nline.mp4",
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="these names cannot exist there")
def test_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = make(tmp_path / "plain.mp4", 2)
    shutil.copy(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (Path(name), tmp_path / name):
        assert probe(path, "").picture.declared_frames == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only there may a name be no text")
def test_name_that_is_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/take_\xff\xfe.mp4"))
    make(path, 2)
    with pytest.raises(TakeError, match="no text in UTF-8; rename it"):  # no JSON and no manifest can name it
        probe(path, "")


def test_url_is_absolute_and_literal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_url(Path("-a.mp4")) == f"file:{tmp_path / '-a.mp4'}"


def test_nothing_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path / "cut.mp4", 6)
    path.write_bytes(path.read_bytes()[:-500])
    refusal(path)
    assert capfd.readouterr() == ("", "")
