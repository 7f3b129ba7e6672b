"""An encoder is believed when it has encoded something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postpipe.media import encoders
from postpipe.media.encoders import PICTURE_CODECS, SOUND_CODECS, check, encoder_options
from postpipe.model import PIXEL_FORMATS

LAYOUT = PIXEL_FORMATS["yuv422p10le"]


@pytest.mark.parametrize("codec", [*PICTURE_CODECS, *SOUND_CODECS])
def test_bundled_encoders_work(codec: str) -> None:
    assert check(codec) is None


def test_an_encoder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(PICTURE_CODECS["h264"], encoder="no_such_encoder")
    monkeypatch.setitem(PICTURE_CODECS, "h264", missing)
    reason = check.__wrapped__("h264")
    assert reason is not None
    assert reason.startswith("h264 cannot be encoded on this machine")


def test_an_encoder_that_gives_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_try_picture", lambda codec: False)
    assert check.__wrapped__("h264") == "h264 cannot be encoded on this machine: the encoder gave nothing"


def test_options_of_the_user_win_over_defaults() -> None:
    assert encoder_options("h264", LAYOUT, 1, {"crf": "30"})["crf"] == "30"
    assert "crf" not in encoder_options("h264", LAYOUT, 1, {"qp": "10"})
    assert encoder_options("prores", LAYOUT, 1, {})["profile"] == "hq"
    assert encoder_options("prores", LAYOUT, 1, {"profile": "lt"})["profile"] == "lt"


def test_what_joining_needs_is_not_negotiable() -> None:
    params = encoder_options("h264", LAYOUT, 1, {"x264-params": "open-gop=1"})["x264-params"]
    assert params.index("open-gop=0") > params.index("open-gop=1")
    params = encoder_options("h265", LAYOUT, 3, {"x265-params": "open-gop=1:aq-mode=2"})["x265-params"]
    assert params.startswith("open-gop=1:aq-mode=2:")
    assert params.index("open-gop=0") > params.index("open-gop=1")
    assert "pools=3" in params


def test_what_is_larger_than_1080p_is_looked_at_less_far_ahead() -> None:
    small, large = (
        encoder_options("h264", LAYOUT, 2, {}, pixels)["x264-params"] for pixels in (1280 * 720, 3840 * 2160)
    )
    assert "rc-lookahead=20:" in small
    assert "sliced-threads" not in small
    assert "rc-lookahead=5:sliced-threads=1:" in large
