"""Who signs: keys and certificates that fit, and clear words for each way in which they do not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from postpipe.errors import Cancelled, ProgramError
from postpipe.media import boxes
from postpipe.media.boxes import top_level
from postpipe.media.credentials import read_credentials
from postpipe.media.identity import Identity, SigningError, development_identity, file_identity, held_identity
from postpipe.media.signing import Ingredient, Signing
from postpipe.provenance import Trust
from tests.certificates import KEYS, make_signer
from tests.clips import make_clip
from tests.media.test_credentials import DEFINITION

NOBODY = Trust()


def sign(identity: Identity, folder: Path, suffix: str = ".mp4") -> Path:
    target = folder / f"signed{suffix}"
    with Signing(identity, NOBODY) as signing:
        signing.sign(make_clip(folder / f"bare{suffix}"), target, DEFINITION, [])
    return target


@pytest.mark.parametrize("algorithm", KEYS)
def test_every_kind_of_key_signs(tmp_path: Path, algorithm: str) -> None:
    signer = make_signer(tmp_path, algorithm=algorithm, password="secret")
    identity = file_identity(signer.chain, signer.key, "secret")
    assert identity.algorithm == algorithm
    assert read_credentials(sign(identity, tmp_path), NOBODY).state == "valid"


def test_the_index_stays_before_the_media(tmp_path: Path) -> None:
    bare = make_clip(tmp_path / "late.mov")
    fast = tmp_path / "fast.mov"
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", bare, "-c", "copy", "-movflags", "+faststart", fast], check=True
    )
    with Signing(development_identity(), NOBODY) as signing:
        signing.sign(fast, tmp_path / "signed.mov", DEFINITION, [])
    kinds = [box.kind for box in top_level(tmp_path / "signed.mov")]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert read_credentials(tmp_path / "signed.mov", NOBODY).state == "valid"


def test_a_signer_that_keeps_its_key_elsewhere_is_asked(tmp_path: Path) -> None:
    signer = make_signer(tmp_path)
    kept = file_identity(signer.chain, signer.key, None)
    assert read_credentials(sign(held_identity(signer.chain, kept.sign), tmp_path), NOBODY).state == "valid"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (ProgramError("the signer has gone", "mend it"), SigningError),
        (Cancelled("stop"), Cancelled),
        (KeyboardInterrupt("now"), KeyboardInterrupt),
    ],
)
def test_why_nothing_was_signed_is_passed_on(tmp_path: Path, fault: BaseException, raised: type[BaseException]) -> None:
    def refuse(data: bytes) -> bytes:
        raise fault

    with pytest.raises(raised, match=str(fault)):
        sign(held_identity(make_signer(tmp_path).chain, refuse), tmp_path)
    assert not (tmp_path / "signed.mp4").exists()


def test_a_signature_of_something_else_is_found_when_it_is_read_again(tmp_path: Path) -> None:
    signer = make_signer(tmp_path)
    identity = file_identity(signer.chain, signer.key, None)
    target = sign(Identity(identity.chain, identity.algorithm, lambda data: identity.sign(b"else")), tmp_path)
    assert "claim signature" in read_credentials(target, NOBODY).words


def test_what_cannot_sign_is_told_in_words(tmp_path: Path) -> None:
    good, other = make_signer(tmp_path / "good"), make_signer(tmp_path / "other")
    locked = make_signer(tmp_path / "locked", password="right")
    expired, future = make_signer(tmp_path / "old", days=(-9, -2)), make_signer(tmp_path / "new", days=(2, 9))
    text = tmp_path / "text.pem"
    text.write_text("nothing")
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(good.chain.read_bytes().split(b"-----END CERTIFICATE-----\n")[0])
    mixed.write_bytes(mixed.read_bytes() + b"-----END CERTIFICATE-----\n" + other.authority.read_bytes())
    cases = [
        (locked.chain, locked.key, "wrong", "the password is wrong"),
        (locked.chain, locked.key, None, "has a password"),
        (good.chain, good.key, "any", "has no password"),
        (good.chain, other.key, None, "is not the key of"),
        (expired.chain, expired.key, None, "expired on"),
        (future.chain, future.key, None, "is valid from"),
        (mixed, good.key, None, "was not issued by"),
        (good.authority, good.key, None, "is signed by itself"),
        (text, good.key, None, "holds no certificate"),
        (good.chain, text, None, "no private key"),
        (tmp_path / "none.pem", good.key, None, "cannot be read"),
        (good.chain, tmp_path / "none.pem", None, "cannot be read"),
    ]
    for chain, key, password, words in cases:
        with pytest.raises(SigningError, match=words) as caught:
            file_identity(chain, key, password)
        assert "wrong" not in str(caught.value).replace("the password is wrong", "")


def test_an_authority_for_time_stamps_that_does_not_answer_is_named(tmp_path: Path) -> None:
    bare, nowhere = make_clip(tmp_path / "bare.mp4"), "http://127.0.0.1:9/stamps"
    with Signing(development_identity(), NOBODY, nowhere) as signing, pytest.raises(SigningError, match=nowhere):
        signing.sign(bare, tmp_path / "signed.mp4", DEFINITION, [])
    assert not (tmp_path / "signed.mp4").exists()


def test_free_space_is_signed_too(tmp_path: Path) -> None:
    bare, spaced = make_clip(tmp_path / "bare.mp4"), tmp_path / "spaced.mp4"
    boxes.insert(bare, spaced, b"\0\0\0\x10freenothing.")
    with Signing(development_identity(), NOBODY) as signing:
        signing.sign(spaced, tmp_path / "signed.mp4", DEFINITION, [])
    assert read_credentials(tmp_path / "signed.mp4", NOBODY).state == "valid"
    changed = (tmp_path / "signed.mp4").read_bytes().replace(b"freenothing.", b"freehidden..")
    (tmp_path / "signed.mp4").write_bytes(changed)
    assert "content hash" in read_credentials(tmp_path / "signed.mp4", NOBODY).words


def test_a_file_that_cannot_be_signed_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    bare = make_clip(tmp_path / "bare.mp4")
    with Signing(development_identity(), NOBODY) as signing:
        with pytest.raises(SigningError):
            signing.sign(tmp_path / "text.mp4", tmp_path / "signed.mp4", DEFINITION, [])
        missing = Ingredient(tmp_path / "none.mp4", "a", "none.mp4", "componentOf")
        with pytest.raises(SigningError):
            signing.sign(bare, tmp_path / "signed.mp4", DEFINITION, [missing])
    assert not (tmp_path / "signed.mp4").exists()
