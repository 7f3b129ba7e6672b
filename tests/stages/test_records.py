"""What people write down about a take: spellings, types, and what is said of what does not fit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe.sidecar import Cost, Sidecar
from postpipe.stages.records import field_of, near_miss, place_of, read_record


def read(record: dict[str, Any]) -> Sidecar:
    return read_record(record, "a.json", lambda key: f"a.json, line {list(record).index(key) + 1}")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Negative prompt", "negative_prompt"), ("negativePrompt", "negative_prompt"), ("PROMPT", "prompt"),
        ("File Name", "file"), ("clip", "file"), ("Take #", "take"), ("model_name", "model"), ("Comments", "notes"),
        ("cost (USD)", "cost"), ("price_eur", "cost"), ("credits", "cost"), ("Created At", "created"),
        ("cfg_scale", None), ("", None), ("costume", None),
    ],
)  # fmt: skip
def test_spellings_are_known(key: str, name: str | None) -> None:
    assert field_of(key) == name


@pytest.mark.parametrize(
    ("key", "value", "name", "kept"),
    [
        ("prompt", " a red kite ", "prompt", "a red kite"),
        ("seed", 0, "seed", 0),
        ("seed", "-1", "seed", -1),
        ("seed", 7.0, "seed", 7),
        ("seed", "7.0", "seed", 7),
        ("seed", (1 << 64) - 1, "seed", (1 << 64) - 1),
        ("parameters", {"steps": 30}, "settings", {"steps": 30}),
        ("settings", '{"steps": 30}', "settings", {"steps": 30}),
        ("settings", "steps 30", "settings", {"text": "steps 30"}),
        ("cost", 0.35, "cost", Cost(Fraction(7, 20))),
        ("cost", "0.35 USD", "cost", Cost(Fraction(7, 20), "USD")),
        ("cost", "$0.35", "cost", Cost(Fraction(7, 20), "USD")),
        ("cost", "0,35 €", "cost", Cost(Fraction(7, 20), "EUR")),
        ("cost", "1,234.50", "cost", Cost(Fraction(2469, 2))),
        ("cost", "1.234,50", "cost", Cost(Fraction(2469, 2))),
        ("cost", "1,234", "cost", Cost(Fraction(1234))),
        ("cost", "0,125", "cost", Cost(Fraction(1, 8))),
        ("cost", "1 234", "cost", Cost(Fraction(1234))),
        ("credits", 12, "cost", Cost(Fraction(12), "credits")),
        ("cost_usd", "0.5", "cost", Cost(Fraction(1, 2), "USD")),
        ("cost", {"amount": 2, "currency": "EUR"}, "cost", Cost(Fraction(2), "EUR")),
        ("reference_images", "a.png; b.png", "reference_images", ("a.png", "b.png")),
        ("image", ["a.png"], "reference_images", ("a.png",)),
        ("created", "2026-05-04T12:30:00Z", "created", "2026-05-04T12:30:00Z"),
        ("date", "2026-05-04", "created", "2026-05-04"),
        ("timestamp", 1_000_000_000, "created", "2001-09-09T01:46:40+00:00"),
        ("timestamp", 1_000_000_000_000, "created", "2001-09-09T01:46:40+00:00"),
        ("likenesses", ["Ada"], "likenesses", ({"name": "Ada"},)),
        ("likeness", "Ada; Grace", "likenesses", ({"name": "Ada"}, {"name": "Grace"})),
        ("likenesses", [{"name": "Ada", "scope": "web"}], "likenesses", ({"name": "Ada", "scope": "web"},)),
    ],
)  # fmt: skip
def test_values_are_taken_in(key: str, value: Any, name: str, kept: Any) -> None:
    sidecar = read({key: value})
    assert getattr(sidecar, name) == kept
    assert sidecar.warnings == ()
    assert sidecar.extra == {}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("prompt", ["a"], "a text"),
        ("notes", 5, "a text"),
        ("seed", "abc", "a whole number of at most 64 bits"),
        ("seed", 1.5, "a whole number"),
        ("seed", True, "a whole number"),
        ("seed", 1 << 64, "a whole number"),
        ("settings", 3, "a table such as"),
        ("cost", -1, "0 or more"),
        ("cost", "much", "0 or more"),
        ("cost", "1.2.3,4,5", "0 or more"),
        ("cost", True, "0 or more"),
        ("cost", {"amount": {}}, "a table such as"),
        ("cost", {"amount": 1, "currency": 3}, "a table such as"),
        ("reference_images", [1], "a list of file names"),
        ("created", "yesterday", "a time such as 2026-05-04T12:30:00Z"),
        ("created", 1e300, "a time such as"),
        ("likenesses", [{"who": "Ada"}], "a list of names"),
        ("likenesses", 3, "a list of names"),
    ],
)
def test_a_wrong_value_is_told_and_kept(key: str, value: Any, expected: str) -> None:
    sidecar = read({"tool": "x", key: value})
    (warning,) = sidecar.warnings
    assert warning.startswith(f"a.json, line 2: {key!r}: expected {expected}")
    assert warning.endswith("; kept under extra")
    assert sidecar.extra == {key: value}


def test_unknown_keys_are_kept_and_a_slip_is_asked_about() -> None:
    sidecar = read({"promt": "x", "cfg_scale": 7})
    assert sidecar.extra == {"promt": "x", "cfg_scale": 7}
    assert sidecar.warnings == (
        "a.json, line 1: 'promt': expected a known key, did you mean 'prompt'? Kept under extra",
    )
    assert read({"promt": "x", "prompt": "y"}).warnings == ()  # the one it could mean is there


def test_what_generators_write_is_no_slip() -> None:
    keys = """mode duration aspect_ratio width height fps resolution steps cfg_scale guidance_scale sampler scheduler
    status id task_id url user title style loop quality ratio motion camera workflow nodes version strength lora
    upscale audio watermark""".split()
    assert {key: hint for key in keys if (hint := near_miss(key, ["prompt", "model_name", *keys]))} == {}


def test_the_usual_spelling_wins_over_another() -> None:
    sidecar = read({"comment": "second", "notes": "first"})
    assert sidecar.notes == "first"
    assert sidecar.extra == {"comment": "second"}
    assert "line 1: 'comment': expected notes once" in sidecar.warnings[0]
    assert place_of({"name": "x", "file": "a.mp4"}, "file") == "a.mp4"


def test_a_currency_may_stand_on_its_own() -> None:
    assert read({"cost": 2, "Currency": "EUR"}).cost == Cost(Fraction(2), "EUR")
    assert read({"cost": "2 USD", "currency": "EUR"}).cost == Cost(Fraction(2), "USD")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=6), SCALARS, max_size=3)
KEYS = st.sampled_from("prompt seed cost currency created likenesses reference_images settings notes".split())


@given(st.dictionaries(KEYS | st.text(max_size=8), VALUES, max_size=6))
def test_whatever_is_written_is_kept_or_told(record: dict[str, Any]) -> None:
    sidecar = read(record)
    given_keys = {key for key, value in record.items() if value not in (None, "")}
    kept = {field_of(key) for key in given_keys - set(sidecar.extra)} - {"currency"}
    assert all(getattr(sidecar, name) is not None for name in kept if name)
    assert None not in kept
    for warning in sidecar.warnings:
        assert warning.startswith("a.json, line ")
        assert "expected" in warning
