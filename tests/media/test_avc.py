"""Parameter sets of H.264: read, put together, written."""

from __future__ import annotations

import contextlib
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe.media.avc import ParameterSets, free_id, merged, nal_units
from tests.clips import make_clip


def header(path: Path, **options: str) -> bytes:
    make_clip(path, frames=2, sound_hz=None, options={"preset": "ultrafast"} | options)
    with av.open(str(path)) as container:
        data = container.streams.video[0].codec_context.extradata
    assert data is not None
    return data


def test_what_is_read_is_written(tmp_path: Path) -> None:
    data = header(tmp_path / "a.mp4")
    sets = ParameterSets.parse(data)
    assert (list(sets.sps), list(sets.pps), sets.length_size) == ([0], [0], 4)
    assert sets.to_bytes() == data


def test_sets_with_ids_of_their_own_go_together(tmp_path: Path) -> None:
    one = ParameterSets.parse(header(tmp_path / "a.mp4"))
    other = ParameterSets.parse(header(tmp_path / "b.mp4", **{"x264-params": "sps-id=3:ref=4", "profile": "main"}))
    both = merged([one, other])
    assert ParameterSets.parse(both.to_bytes()) == both
    assert (sorted(both.sps), sorted(both.pps)) == ([0, 3], [0, 3])
    assert both.profile == max(one.profile, other.profile)
    assert [free_id(group) for group in ([], [one], [other], [both])] == [0, 1, 0, 1]


def test_one_id_for_two_sets_clashes(tmp_path: Path) -> None:
    one = ParameterSets.parse(header(tmp_path / "a.mp4"))
    other = ParameterSets.parse(header(tmp_path / "b.mp4", refs="4"))
    assert one.clashes(other)
    assert not one.clashes(one)
    with pytest.raises(ValueError, match="one id"):
        merged([one, other])


@given(st.binary(max_size=60), st.booleans())
def test_other_bytes_are_no_header(data: bytes, marked: bool) -> None:
    with contextlib.suppress(ValueError):
        ParameterSets.parse(b"\1" + data if marked else data)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=5))
def test_units_are_taken_apart(units: list[bytes]) -> None:
    packet = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    assert list(nal_units(packet, 4)) == [(unit[0] & 0x1F, unit) for unit in units]
    if units:
        with pytest.raises(ValueError, match="cut off"):
            list(nal_units(packet[:-1], 4))
