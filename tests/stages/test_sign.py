"""Signed deliveries: the chain of the takes, the actions that really happened, the proof, and what failing leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from postpipe import api
from postpipe.errors import ProgramError, SettingsError
from postpipe.finished import UNSIGNED
from postpipe.media.boxes import top_level
from postpipe.media.credentials import read_credentials
from postpipe.media.identity import SigningError, development_identity
from postpipe.media.signing import Signing
from postpipe.provenance import COMPOSITE, Action, Assertion, Declared, History, Manifest, Provenance, SignPlan, Trust
from postpipe.stages.manifests import Rendered, check_clip, check_sequence, read_again
from postpipe.stages.sign import identity_of
from tests.certificates import make_signer
from tests.clips import make_clip
from tests.media.test_credentials import DEFINITION

NOBODY = Trust()
FAST = {"deliver": {"preset": "ultrafast", "encoder_threads": 1}}


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with a take that has a manifest and one that has none and another size."""
    folder = tmp_path / "takes"
    folder.mkdir()
    bare = make_clip(tmp_path / "bare.mp4", frames=12)
    with Signing(development_identity(), NOBODY) as signing:
        signing.sign(bare, folder / "scene01.mp4", DEFINITION, [])
    make_clip(folder / "scene02.mp4", frames=12, size=(96, 48), seed=3, sound_hz=None)
    return folder


def run(takes: Path, out: Path, **settings: Any) -> dict[str, Any]:
    return api.run(takes, out, settings=FAST | settings).document()


def test_the_sequence_carries_the_chain_of_its_takes(two: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document = run(two, out, project={"size": "64x48"}, edit={"scene01": {"in": "2f"}})
    found = read_credentials(out / "sequence.mp4", NOBODY)
    said = document["sequence"]["provenance"]
    assert said["state"] == found.state == "valid"
    assert (said["signed_with"], said["problem"]) == ("development", None)
    assert "vouches for nobody" in said["signer"]
    assert said["actions"] == ["c2pa.created", "c2pa.placed", "c2pa.placed"]
    assert said["digital_source_types"] == ["compositeWithTrainedAlgorithmicMedia"]
    first, second = said["ingredients"]
    assert [first["relationship"], second["relationship"]] == ["componentOf", "componentOf"]
    assert first["actions"] == ["c2pa.opened", "c2pa.trimmed", "c2pa.transcoded"]
    assert second["actions"] == ["c2pa.opened", "c2pa.resized", "c2pa.transcoded"]
    (original,), (bare,) = first["ingredients"], second["ingredients"]
    assert (original["relationship"], original["state"], original["generator"]) == (
        "parentOf",
        "valid",
        "Test Generator",
    )
    assert (bare["title"], bare["relationship"], bare["state"]) == ("scene02.mp4", "parentOf", "absent")
    kinds = [box.kind for box in top_level(out / "sequence.mp4")]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    for take in document["takes"]:  # their history stands in the film, so that nothing of it is lost
        clip = take["provenance"]
        assert (clip["state"], clip["carried_in"], clip["signed_with"]) == ("absent", "sequence.mp4", None)
        assert "sequence.mp4" in clip["words"]
    facts = {take["file"]: take["facts"]["provenance"]["state"] for take in document["takes"]}
    assert facts == {"scene01.mp4": "valid", "scene02.mp4": "absent"}


def test_all_files_can_be_signed_and_nothing_is_signed_twice(two: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document = run(two, out, provenance={"sign": "all", "generated": True})
    names = ["sequence.mp4", "clips/scene01.mp4", "clips/scene02.mp4"]
    before = {name: (out / name).read_bytes() for name in names}
    assert {read_credentials(out / name, NOBODY).state for name in names} == {"valid"}
    assert [take["provenance"]["state"] for take in document["takes"]] == ["valid", "valid"]
    assert {take["provenance"]["carried_in"] for take in document["takes"]} == {"sequence.mp4"}
    again = run(two, out, provenance={"sign": "all", "generated": True})
    assert {name: (out / name).read_bytes() for name in names} == before
    assert again["sequence"] == document["sequence"]
    (out / "sequence.mp4").unlink()  # signed anew; the rest stands
    run(two, out, provenance={"sign": "all", "generated": True})
    assert read_credentials(out / "sequence.mp4", NOBODY).state == "valid"
    assert (out / names[1]).read_bytes() == before[names[1]]
    off = run(two, out, provenance={"sign": "off"})
    assert off["sequence"]["provenance"]["state"] == "lost"
    assert [take["provenance"]["state"] for take in off["takes"]] == ["lost", "absent"]
    assert [take["provenance"]["carried_in"] for take in off["takes"]] == [None, None]
    assert (out / "sequence.mp4").read_bytes() == (out / UNSIGNED / "sequence.mp4").read_bytes()


def test_without_a_word_of_ai_nothing_is_invented(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "a.mp4", frames=8)
    assert run(takes, tmp_path / "one")["sequence"]["provenance"]["digital_source_types"] == ["composite"]
    (takes / "a.json").write_text('{"generator": "Kling"}')
    said = run(takes, tmp_path / "one")["sequence"]["provenance"]
    assert said["digital_source_types"] == ["compositeWithTrainedAlgorithmicMedia"]


def test_the_users_own_certificate_signs_and_its_secrets_stay_secret(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = make_signer(tmp_path / "keys", name="Studio Example", password="open sesame")
    monkeypatch.setenv("STUDIO_PASSWORD", "open sesame")
    own = {
        "certificate": str(signer.chain),
        "key": str(signer.key),
        "password_variable": "STUDIO_PASSWORD",
        "trust_lists": [str(signer.authority)],
    }
    document = run(two, tmp_path / "out", provenance=own)
    said = document["sequence"]["provenance"]
    assert (said["state"], said["signer"], said["signed_with"]) == ("trusted", "Studio Example", "certificate")
    key = signer.key.read_text().splitlines()[1].encode()
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"open sesame" not in content
            assert b"PRIVATE KEY" not in content
            assert key not in content


def test_a_key_that_cannot_sign_is_told_before_anything_is_rendered(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = make_signer(tmp_path / "keys", password="right")
    monkeypatch.setenv("STUDIO_PASSWORD", "mistaken")
    own = {"certificate": str(signer.chain), "key": str(signer.key), "password_variable": "STUDIO_PASSWORD"}
    with pytest.raises(SettingsError, match="the password is wrong") as caught:
        run(two, tmp_path / "out", provenance=own)
    assert "mistaken" not in str(caught.value)
    assert not list((tmp_path / "out").rglob("*.mp4"))
    for wrong in ({"key": "key.pem"}, {"certificate": "chain.pem"}, {"certificate": "a", "key": "b", "signer": ["c"]}):
        with pytest.raises(SettingsError, match=r"\[provenance\] certificate"):
            run(two, tmp_path / "out", provenance=wrong)


def test_a_program_can_keep_the_key(tmp_path: Path) -> None:
    signer = make_signer(tmp_path)
    script = (
        "import sys; from pathlib import Path; from postpipe.media.identity import file_identity;"
        "identity = file_identity(Path(sys.argv[1]), Path(sys.argv[2]), None);"
        "sys.stdout.buffer.write(identity.sign(sys.stdin.buffer.read()))"
    )
    command = (sys.executable, "-c", script, str(signer.chain), str(signer.key))
    identity = identity_of(SignPlan("sequence", str(signer.chain), command=command))
    assert len(identity.sign(b"claim")) == 64  # r and s of P-256
    gone = identity_of(SignPlan("sequence", str(signer.chain), command=("no-such-program", "a b")))
    with pytest.raises(ProgramError, match="the signer no-such-program cannot be started"):
        gone.sign(b"claim")


def test_a_signature_that_does_not_hold_leaves_the_unsigned_render(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import postpipe.stages.sign as stage

    real = stage.read_again

    def found_wanting(file: Path, trust: Trust) -> Provenance:
        file.write_bytes(file.read_bytes()[:-1] + b"?")
        return real(file, trust)

    monkeypatch.setattr(stage, "read_again", found_wanting)
    account = api.run(two, tmp_path / "out", settings=FAST)
    said = account.document()["sequence"]["provenance"]
    assert (said["state"], said["signed_with"]) == ("lost", None)
    assert "content hash" in said["problem"]
    assert any("sequence.mp4 is not signed" in text for text in account.warnings)
    out = tmp_path / "out"
    assert (out / "sequence.mp4").read_bytes() == (out / UNSIGNED / "sequence.mp4").read_bytes()
    assert not list(out.rglob("tmp/*/*.mp4"))
    monkeypatch.setattr(stage, "read_again", real)  # the next run tries again
    assert run(two, out)["sequence"]["provenance"]["state"] == "valid"


def test_the_proof_tells_a_manifest_that_says_something_else() -> None:
    take = Rendered(
        Path("a.mp4"), Path("a.mp4"), History((Action("c2pa.trimmed"), Action("c2pa.transcoded"))), Provenance("absent")
    )
    original = Manifest("a.mp4", "absent", "parentOf")
    actions = ("c2pa.opened", "c2pa.trimmed", "c2pa.transcoded")
    good = Manifest("a.mp4", "valid", "componentOf", actions=actions, ingredients=(original,))
    check_clip(good, take)
    said = {"actions": ("c2pa.created",), "source_types": (COMPOSITE,)}
    check_sequence(Manifest("s", "valid", **said, ingredients=(good,)), COMPOSITE, ["c2pa.created"], [take])
    wrong = [
        Manifest("a.mp4", "valid", "componentOf", actions=actions[:2], ingredients=(original,)),
        Manifest("a.mp4", "invalid", "componentOf", actions=actions, ingredients=(original,)),
        Manifest("a.mp4", "valid", "componentOf", actions=actions),
        Manifest("b.mp4", "valid", "componentOf", actions=actions, ingredients=(original,)),
        Manifest(
            "a.mp4", "valid", "componentOf", actions=actions, ingredients=(Manifest("a.mp4", "valid", "parentOf"),)
        ),
        None,
    ]
    for manifest in wrong:
        with pytest.raises(SigningError, match="read again"):
            check_clip(manifest, take)
    with pytest.raises(SigningError, match="number of takes"):
        check_sequence(Manifest("s", "valid", **said), COMPOSITE, ["c2pa.created"], [take])
    with pytest.raises(SigningError, match="digital source type"):
        check_sequence(Manifest("s", "valid", **said, ingredients=(good,)), "other", ["c2pa.created"], [take])


def test_what_a_stage_declares_is_signed_with_the_take(tmp_path: Path) -> None:
    bound = Declared(
        (Action("c2pa.watermarked.bound", "a mark that cannot be seen", {"payload": "0badc0de"}),),
        (Assertion("c2pa.soft-binding", {"alg": "test.mark", "blocks": [{"scope": {}, "value": "0badc0de"}]}),),
    )
    original = make_clip(tmp_path / "original.mp4", frames=8)
    rendered = make_clip(tmp_path / "a.mp4", frames=8, seed=2)
    take = Rendered(original, rendered, History((Action("c2pa.transcoded"),), bound), Provenance("absent"))
    with Signing(development_identity(), NOBODY) as signing:
        take.sign(signing, tmp_path / "signed.mp4")
    found = read_again(tmp_path / "signed.mp4", NOBODY)
    check_clip(found.manifest, take)
    assert found.manifest is not None
    assert found.manifest.actions == ("c2pa.opened", "c2pa.transcoded", "c2pa.watermarked.bound")
    assert b"test.mark" in (tmp_path / "signed.mp4").read_bytes()


def test_a_take_with_a_damaged_manifest_is_carried_as_far_as_it_goes(two: Path, tmp_path: Path) -> None:
    signed = two / "scene01.mp4"
    box = next(box for box in top_level(signed) if box.kind == b"uuid")
    data = signed.read_bytes()
    rendered = make_clip(tmp_path / "a.mp4", frames=8)
    unreadable = 0
    for start, size in ((40, 400), (1200, 40), (700, 16)):
        position = box.content + start
        signed.write_bytes(data[:position] + b"\xff" * size + data[position + size :])
        own = read_credentials(signed, NOBODY)
        unreadable += own.state == "invalid" and own.manifest is None
        take = Rendered(signed, rendered, History((Action("c2pa.transcoded"),)), own)
        with Signing(development_identity(), NOBODY) as signing:
            take.sign(signing, tmp_path / "signed.mp4")
        check_clip(read_again(tmp_path / "signed.mp4", NOBODY).manifest, take)
    assert unreadable


def test_real_signed_files_keep_their_chain(media: Path, tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    real = {
        "scene01.mp4": media / "takes" / "sora_standard.mp4",
        "scene02.mp4": media / "c2pa" / "premiere-firefly.mp4",
        "scene03.mp4": media / "c2pa" / "PTS_TRUSTED_sony_official_cawg_wdr.mp4",
    }
    for name, path in real.items():
        (takes / name).write_bytes(path.read_bytes())
    size = {"project": {"size": "320x180"}}
    document = run(takes, tmp_path / "out", **size)
    said = document["sequence"]["provenance"]
    assert said["state"] == "valid"
    originals = [ingredient["ingredients"][0] for ingredient in said["ingredients"]]
    for original, path in zip(originals, real.values(), strict=True):
        own = read_credentials(path, NOBODY)
        assert original["state"] == own.state
        assert own.manifest is not None
        assert (original["generator"], original["signer"]) == (own.manifest.generator, own.manifest.signer)
    for ingredient in said["ingredients"]:
        assert ingredient["actions"][0] == "c2pa.opened"
        assert {"c2pa.resized", "c2pa.transcoded"} <= set(ingredient["actions"])
    assert json.loads((tmp_path / "out" / "takes.json").read_text())["sequence"]["provenance"] == said
