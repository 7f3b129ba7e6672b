"""Consent: who is shown, who agreed, what keeps a take out of the delivery, and how that is overridden by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from postpipe import api, projectlog
from postpipe.consent import Consent, Grants
from postpipe.errors import DeliveryError, SettingsError
from postpipe.provenance import Today
from postpipe.sidecar import Sidecar
from postpipe.stages.consent import CheckConsent, ReadGrants, read_grants
from tests.clips import make_clip
from tests.stages.test_sidecar import clip

DAY = "2026-06-15"
TEXT = """
[[consent]]
who = "Ada Example"
granted_by = "Ada Example"
date = 2026-05-01
scope = "web"
takes = ["scene01_*.mp4"]

[[consent]]
who = "Ben Example"
granted_by = "Agency Ltd"
date = "2026-05-02"
revoked = 2026-06-01
"""


def check(
    folder: Path, name: str, *likenesses: dict[str, object], text: str = TEXT, allow: tuple[str, ...] = ()
) -> Consent:
    (folder / "consent.toml").write_text(text, encoding="utf-8")
    grants = Grants(tuple(read_grants(folder / "consent.toml")), DAY)
    return CheckConsent(allow).run(clip(folder / name), Sidecar(("a.json",), likenesses=likenesses), grants)


def states(consent: Consent) -> dict[str, str]:
    return {one.who: one.state for one in consent.likenesses}


def test_a_take_without_likenesses_is_cleared(tmp_path: Path) -> None:
    found = check(tmp_path, "scene09_take01.mp4")
    assert found.summary() == {"decision": "cleared", "likenesses": []}
    assert found.refusal is None


def test_consent_is_given_revoked_or_missing(tmp_path: Path) -> None:
    found = check(tmp_path, "scene01_take01.mp4", {"name": "BEN  example"}, {"name": "Cleo"})
    assert states(found) == {"BEN  example": "revoked", "Cleo": "missing", "Ada Example": "granted"}
    assert "revoked consent on 2026-06-01" in (found.refusal or "")
    assert "Cleo has given no consent" in found.warnings()[0]
    assert found.summary()["likenesses"][2]["scope"] == "web"


def test_a_grant_counts_only_for_the_takes_that_it_names(tmp_path: Path) -> None:
    assert states(check(tmp_path, "scene02_take01.mp4", {"name": "Ada Example"})) == {"Ada Example": "missing"}


@pytest.mark.parametrize(
    ("take", "file"),
    [
        ("scene01_take02.mp4", "Scene01_Take02.mp4"),
        ("scene01_take02", "scene01_take02.mp4"),
        ("clip [v2].mp4", "clip [v2].mp4"),
        ("caf\u00e9*", "cafe\u0301 3.mp4"),  # the accent on the letter, and behind it
        ("*", "any thing.mov"),
    ],
)
def test_a_name_counts_however_it_is_spelt(tmp_path: Path, take: str, file: str) -> None:
    text = f'[[consent]]\nwho = "Ada"\nrevoked = true\ntakes = ["{take}"]'
    assert states(check(tmp_path, file, text=text)) == {"Ada": "revoked"}
    assert states(check(tmp_path, "other.mxf", text=text.replace('"*"', '"a*"'))) == {}


def test_every_use_of_a_file_shows_whom_the_file_shows(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text('[[consent]]\nwho = "Ada"\nrevoked = true\ntakes = ["a.mp4"]')
    grants = Grants(tuple(read_grants(tmp_path / "consent.toml")), DAY)
    use = clip(tmp_path / "a_use2.mp4")
    use.file = tmp_path / "a.mp4"
    assert states(CheckConsent().run(use, Sidecar(), grants)) == {"Ada": "revoked"}
    assert not CheckConsent(("a.mp4",)).run(use, Sidecar(), grants).refusal


@pytest.mark.parametrize(
    ("given", "revoked", "state"),
    [
        ("2026-01-01", "2026-05-01", "revoked"),
        ("2026-05-01", "2026-05-01", "revoked"),
        ("2026-05-02", "2026-05-01", "granted"),  # she has agreed again
        ("2026-01-01", "2026-12-31", "granted"),  # not yet
    ],
)
def test_a_revocation_of_its_own_ends_what_was_given_before(
    tmp_path: Path, given: str, revoked: str, state: str
) -> None:
    entries = f'granted_by = "Ada"\ndate = {given}', f"revoked = {revoked}"
    text = "\n".join(f'[[consent]]\nwho = "Ada"\n{entry}' for entry in entries)
    assert states(check(tmp_path, "a.mp4", {"name": "Ada"}, text=text)) == {"Ada": state}


def test_a_revocation_without_a_day_ends_all_that_was_given(tmp_path: Path) -> None:
    text = '[[consent]]\nwho = "Ada"\ngranted_by = "Ada"\ndate = 2026-01-01'
    found = check(tmp_path, "a.mp4", {"name": "Ada", "revoked": True}, text=text)
    assert states(found) == {"Ada": "revoked"}
    assert found.refusal == "Ada revoked consent"


@pytest.mark.parametrize(
    ("own", "state"),
    [
        ({"granted_by": "herself", "date": "2026-01-01"}, "granted"),
        ({"granted_by": "herself", "date": "2026-12-01"}, "missing"),  # not yet
        ({"granted_by": "herself"}, "missing"),
        ({"granted_by": "herself", "date": "2026-01-01", "revoked": True}, "revoked"),
        ({"granted_by": "herself", "date": "2026-01-01", "revoked": "2026-12-31"}, "granted"),  # not yet
        ({"granted_by": "herself", "date": "last week"}, "missing"),
    ],
)
def test_a_sidecar_can_say_it_all(tmp_path: Path, own: dict[str, object], state: str) -> None:
    assert states(check(tmp_path, "a.mp4", {"name": "Dora"} | own, text="consent = []")) == {"Dora": state}


def test_a_take_is_allowed_by_its_name(tmp_path: Path) -> None:
    found = check(tmp_path, "a.mp4", {"name": "Ben Example"}, allow=("a.mp4",))
    assert found.refusal is None
    assert found.summary()["decision"] == "allowed by name"
    assert "delivered all the same" in found.warnings()[0]
    assert check(tmp_path, "b.mp4", {"name": "Ben Example"}, allow=("a.mp4",)).refusal


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[consent]]\n", "expected who"),
        ('[[consent]]\nwho = "A"\ndate = "soon"', "expected a day"),
        ('[[consent]]\nwho = "A"\nwhen = 2026-01-01', "no key 'when'"),
        ('[[consent]]\nwho = "A"\ntakes = "a.mp4"', "expected names"),
        ('who = "A"', "line 1: expected entries"),
        ("[[consent]\n", "not valid TOML"),
    ],
)
def test_what_is_written_wrongly_is_never_guessed(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "consent.toml").write_text(text)
    with pytest.raises(SettingsError, match=words):
        list(read_grants(tmp_path / "consent.toml"))


def test_a_take_without_consent_is_kept_out_and_logged(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=8)
    make_clip(takes / "scene02_take01.mp4", frames=8, seed=2)
    (takes / "scene02_take01.json").write_text('{"likenesses": ["Ben Example"]}')
    (takes / "consent.toml").write_text(TEXT)
    fast = {"deliver": {"preset": "ultrafast"}, "provenance": {"sign": "off"}}
    account = api.run(takes, tmp_path / "out", settings=fast)
    assert account.warnings == ()
    assert "revoked consent" in account.skipped[takes / "scene02_take01.mp4"]
    assert [path.name for path in (tmp_path / "out" / "clips").iterdir()] == ["scene01_take01.mp4"]
    allowed = api.run(takes, tmp_path / "out", settings=fast | {"consent": {"allow": ["scene02_take01"]}})
    assert not allowed.skipped
    (takes / "consent.toml").write_text(TEXT + '[[consent]]\nwho = "Ada Example"\nrevoked = true\n')
    with pytest.raises(DeliveryError, match="still holds what an earlier run delivered"):
        api.run(takes, tmp_path / "out", settings=fast)
    assert {row["scene"] for row in projectlog.read(tmp_path / "out" / "takes-log.jsonl")} == {"scene01", "scene02"}
    rows = [row for row in projectlog.read(tmp_path / "out" / "takes-log.jsonl") if row["file"] == "scene02_take01.mp4"]
    assert [(row["decision"], row["because"].partition(",")[0]) for row in rows] == [
        ("skipped", "Ben Example revoked consent on 2026-06-01; ask for consent"),
        ("delivered", "without consent"),
    ]


def test_a_name_that_no_file_has_is_said(tmp_path: Path) -> None:
    shown = clip(make_clip(tmp_path / "scene01_take01.mp4", frames=2))
    (tmp_path / "consent.toml").write_text(TEXT.replace('"scene01_*.mp4"', '"scene01_*", "scene1_*"'))
    (warning,) = ReadGrants().run({shown.path: shown}, Today(DAY)).warnings
    assert warning.startswith("consent.toml, entry 1: takes: no file is called 'scene1_*'; correct")
