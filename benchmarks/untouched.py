"""What is truly wrong with real clips as they come: to say so is no false alarm, whichever tool says it.

The list was made before either tool was judged by it, from decoded frames and samples alone: a frame is shown twice
where it changes by less than a tenth of what the frames around it do; stillness, black and silence are those of
ffmpeg's `freezedetect`, `blackdetect` and `silencedetect` (−60 dB); sound reaches full scale where `volumedetect` has
its peak at −0.1 dBFS or above. Slow motion, cuts, flashes of cameras, pauses of speech are no faults.
"""

from __future__ import annotations

_FULL_SCALE = {"audio": "its peaks reach full scale"}

GENUINE: dict[str, dict[str, str]] = {
    "bigbuckbunny.mp4": {"duplicate": "every 25th frame is shown twice: 24 frames a second stored at 25"},
    "testvideo.mp4": {
        "blank": "black from 0 to 1.0 s, from 6.0 to 7.1 s and later",
        "frozen": "cards that stand still for seconds",
    },
    "luma_watermarked.mp4": {"frozen": "the last 0.3 s stand still", "audio": "digital silence throughout"},
    "pika_share.mp4": {"audio": "no sound above −68 dBFS"},
    "sora_standard.mp4": {
        "duplicate": "every fifth or sixth frame is shown twice: 24 and 25 frames a second stored at 30",
        "audio": "the sound's packets leave out 95 ms from 7.11 s on",
    },
    "3qesirWAGt4_20000_30000.mp4": {"duplicate": "frames 61, 296 and 299 repeat the one before", **_FULL_SCALE},
    "lp_d20.mp4": {"duplicate": "every fourth or fifth frame is shown twice: 20 frames a second stored at 25"},
    "lp_d6.mp4": {"duplicate": "every sixth frame is shown twice: 25 frames a second stored at 30"},
    "retalking_1.mp4": {"duplicate": "frames 29, 101 and others repeat the one before"},
    "retalking_4.mp4": {"duplicate": "every fourth frame is shown twice"},
    **dict.fromkeys(("bbaf2n.mpg", "brbk7n.mpg", "lrwp9a.mpg", "lwbsza.mpg", "pwij3p.mpg", "sbwe5n.mpg"), _FULL_SCALE),
}
"""What is wrong with a clip, by the name of takecheck's check."""
