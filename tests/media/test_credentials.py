"""What files say of themselves: the library's own states, words for each check that failed, and nothing is fetched."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import c2pa
import pytest

from postpipe.errors import SettingsError
from postpipe.media.boxes import top_level
from postpipe.media.credentials import context, read_credentials, read_trust
from postpipe.media.identity import development_identity, file_identity
from postpipe.media.signing import Ingredient, Signing
from postpipe.provenance import CHECKS, Check, Trust
from tests.certificates import make_signer
from tests.clips import make_clip

NOBODY = Trust()
CREATED = {
    "label": "c2pa.actions.v2",
    "data": {
        "actions": [
            {
                "action": "c2pa.created",
                "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
            }
        ]
    },
}
DEFINITION = {"claim_generator_info": [{"name": "Test Generator"}], "title": "made", "assertions": [CREATED]}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that says it was generated."""
    folder = tmp_path_factory.mktemp("signed")
    with Signing(development_identity(), NOBODY) as signing:
        signing.sign(make_clip(folder / "bare.mp4"), folder / "signed.mp4", DEFINITION, [])
    return folder / "signed.mp4"


def library_says(path: Path) -> tuple[str, set[str]]:
    """The state and the failures that the library gives by itself."""
    with c2pa.Reader(path, context=context(NOBODY)) as reader:
        found = json.loads(reader.json())
        return str(reader.get_validation_state()), {one["code"] for one in found.get("validation_status", [])}


def test_a_signed_clip_is_intact_and_nobody_vouches_for_it(signed: Path) -> None:
    found = read_credentials(signed, NOBODY)
    assert found.state == "valid"
    assert found.content_intact
    assert found.manifest is not None
    assert found.manifest.generator == "Test Generator"
    assert "vouches for nobody" in (found.manifest.signer or "")
    assert found.manifest.actions == ("c2pa.created",)
    assert found.manifest.says_ai
    assert [check.code for check in found.checks] == ["signingCredential.untrusted"]
    assert found.warnings() == ()


def test_a_signer_on_a_list_is_trusted(tmp_path: Path) -> None:
    signer = make_signer(tmp_path)
    target = tmp_path / "signed.mp4"
    with Signing(file_identity(signer.chain, signer.key, None), NOBODY) as signing:
        signing.sign(make_clip(tmp_path / "bare.mp4"), target, DEFINITION, [])
    found = read_credentials(target, read_trust((signer.authority,), (), network=False))
    assert (found.state, found.checks, found.trust_list) == ("trusted", (), "authority.pem")
    other = make_signer(tmp_path / "other")
    assert read_credentials(target, read_trust((other.authority,), (), network=False)).state == "valid"


def test_a_changed_content_is_named(signed: Path, tmp_path: Path) -> None:
    data = bytearray(signed.read_bytes())
    mdat = next(box for box in top_level(signed) if box.kind == b"mdat")
    dice = random.Random(1)
    for _ in range(10):
        position = dice.randrange(mdat.content, mdat.end)
        data[position] ^= 1
        (tmp_path / "changed.mp4").write_bytes(data)
        data[position] ^= 1
        found = read_credentials(tmp_path / "changed.mp4", NOBODY)
        assert (found.state, found.content_intact) == ("invalid", False)
        assert "content hash" in found.words
        assert found.warnings()


def test_a_manifest_of_another_file_and_a_cut_are_named(signed: Path, tmp_path: Path) -> None:
    boxes = {box.kind: box for box in top_level(signed)}
    data, bare = signed.read_bytes(), make_clip(tmp_path / "bare.mp4", seed=5).read_bytes()
    (tmp_path / "grafted.mp4").write_bytes(
        bare[: int.from_bytes(bare[:4], "big")]
        + data[boxes[b"uuid"].start : boxes[b"uuid"].end]
        + bare[int.from_bytes(bare[:4], "big") :]
    )
    found = read_credentials(tmp_path / "grafted.mp4", NOBODY)
    assert (found.state, found.content_intact) == ("invalid", False)
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 3 // 4])
    assert read_credentials(tmp_path / "cut.mp4", NOBODY).state in ("invalid", "unreadable")
    (tmp_path / "short.mp4").write_bytes(data[: boxes[b"uuid"].start + 100])
    assert read_credentials(tmp_path / "short.mp4", NOBODY).state in ("invalid", "unreadable")


def test_a_damaged_manifest_never_passes(signed: Path, tmp_path: Path) -> None:
    box = next(box for box in top_level(signed) if box.kind == b"uuid")
    data = signed.read_bytes()
    damaged = data[: box.content + 40] + b"\xff" * 400 + data[box.content + 440 :]
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    found = read_credentials(tmp_path / "damaged.mp4", NOBODY)
    assert found.state in ("invalid", "unreadable", "absent")
    assert found.manifest is None


@pytest.mark.parametrize(
    ("name", "content", "state"),
    [
        ("a.mp4", b"", "unreadable"),
        ("a.mp4", b"no film at all", "unreadable"),
        ("a.mkv", b"\x1aE\xdf\xa3" + bytes(100), "unsupported"),
        ("no suffix", b"\0\0\0\x08free", "unsupported"),
    ],
)
def test_what_carries_no_manifest_has_its_word(tmp_path: Path, name: str, content: bytes, state: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_credentials(tmp_path / name, NOBODY).state == state


def test_a_bare_clip_a_folder_and_nothing(tmp_path: Path) -> None:
    assert read_credentials(make_clip(tmp_path / "-a 'b'.mp4"), NOBODY).state == "absent"
    assert read_credentials(make_clip(tmp_path / "a.mov"), NOBODY).state == "absent"
    assert read_credentials(make_clip(tmp_path / "a.mkv"), NOBODY).state == "unsupported"
    assert read_credentials(tmp_path, NOBODY).state == "unreadable"
    assert read_credentials(tmp_path / "none.mp4", NOBODY).state == "unreadable"


def test_lists_that_are_none_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(SettingsError) as caught:
        read_trust((tmp_path / "none.pem",), (tmp_path / "text.pem",), network=False)
    assert len(caught.value.problems) == 2


def test_ingredients_are_carried_with_their_own_state(signed: Path, tmp_path: Path) -> None:
    parts = [
        Ingredient(signed, "a", "kept.mp4", "componentOf"),
        Ingredient(make_clip(tmp_path / "bare.mp4"), "b", "bare.mp4", "componentOf", "no C2PA manifest"),
    ]
    with Signing(development_identity(), NOBODY) as signing:
        signing.sign(tmp_path / "bare.mp4", tmp_path / "all.mp4", DEFINITION, parts)
    manifest = read_credentials(tmp_path / "all.mp4", NOBODY).manifest
    assert manifest is not None
    assert [(one.title, one.state) for one in manifest.ingredients] == [("kept.mp4", "valid"), ("bare.mp4", "absent")]


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """The address of a server that gives nothing away, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/manifest", asked
        server.shutdown()
        thread.join()


def test_a_manifest_elsewhere_is_fetched_only_when_asked(tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    url, asked = listener
    identity = development_identity()
    picture = tmp_path / "far.jpg"
    from PIL import Image

    Image.new("RGB", (16, 16)).save(tmp_path / "bare.jpg")
    builder = c2pa.Builder(json.dumps(DEFINITION), context=context(NOBODY))
    builder.set_remote_url(url)
    builder.set_no_embed()
    with c2pa.Signer.from_callback(identity.sign, c2pa.C2paSigningAlg.ES256, identity.chain) as signer:
        builder.sign_file(tmp_path / "bare.jpg", picture, signer)
    found = read_credentials(picture, NOBODY)
    assert asked == []
    assert found.state == "unreadable"
    assert [check.code for check in found.checks] == ["manifest.inaccessible"]
    assert url in found.words
    read_credentials(picture, read_trust((), (), network=True))
    assert asked == ["/manifest"]


def test_every_code_has_words() -> None:
    for code in ("assertion.bmffHash.mismatch", "claimSignature.mismatch", "something.new"):
        assert Check.of(code).words
    assert [start for start, _, _ in CHECKS if any(start.startswith(other) and other for other in _before(start))] == []


def _before(start: str) -> list[str]:
    names = [name for name, _, _ in CHECKS]
    return names[: names.index(start)]


def test_real_files_are_judged_as_the_library_does(media: Path) -> None:
    judged = 0
    for path in sorted([*(media / "c2pa").iterdir(), *(media / "takes").iterdir()]):
        found = read_credentials(path, NOBODY)
        if not found.has_manifest:
            with pytest.raises(c2pa.C2paError):
                library_says(path)
            continue
        state, codes = library_says(path)
        assert found.state == state.lower(), path.name
        assert set(found.summary()["failures"]) == codes, path.name
        judged += 1
    assert judged >= 9


def test_a_fragmented_film_has_its_word(tmp_path: Path) -> None:
    whole, fragmented, signed = (tmp_path / name for name in ("whole.mp4", "fragmented.mp4", "signed.mp4"))
    with (
        av.open(str(make_clip(whole))) as source,
        av.open(str(fragmented), "w", options={"movflags": "frag_keyframe+empty_moov"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert b"moof" in {box.kind for box in top_level(fragmented)}
    assert read_credentials(fragmented, NOBODY).state == "absent"
    identity = development_identity()
    with c2pa.Signer.from_callback(identity.sign, c2pa.C2paSigningAlg.ES256, identity.chain) as signer:
        c2pa.Builder(json.dumps(DEFINITION), context=context(NOBODY)).sign_file(fragmented, signed, signer)
    assert read_credentials(signed, NOBODY).state == "valid"
    changed = bytearray(signed.read_bytes())
    changed[-2000] ^= 1
    signed.write_bytes(changed)
    assert read_credentials(signed, NOBODY).state == "invalid"
