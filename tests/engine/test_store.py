"""The store: what goes in comes out, any fault is a miss, nothing half-written is ever visible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from postpipe.delivery import OutputFile
from postpipe.engine.outputs import Outputs
from postpipe.engine.store import Scratch, Store, code_digest, content_digest
from postpipe.errors import DeliveryError
from postpipe.model import Artifact

KEY = "ab" + "0" * 62


@dataclass(frozen=True)
class Curve(Artifact):
    schema: ClassVar[str] = "test.curve.1"
    name: str
    values: NDArray[np.float32]


@dataclass(frozen=True)
class NewCurve(Artifact):
    schema: ClassVar[str] = "test.curve.2"
    name: str
    values: NDArray[np.float32]


CURVE = Curve("gain", np.arange(100, dtype=np.float32))


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert store.get(Curve, KEY) is None
        store.put(KEY, CURVE)
        found = store.get(Curve, KEY)
    assert found is not None
    assert found.name == "gain"
    np.testing.assert_array_equal(found.values, CURVE.values)


def test_a_plug_in_of_another_version_makes_other_results(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"theirs": "1.0"}

    def installed(*, group: str) -> list[EntryPoint]:
        dist = mock.Mock(version=versions["theirs"])
        return [EntryPoint("trustmark", "theirs:Detector", group)._for(dist)]  # type: ignore[attr-defined]

    monkeypatch.setattr("importlib.metadata.entry_points", installed)
    first = code_digest.__wrapped__()
    assert code_digest.__wrapped__() == first
    versions["theirs"] = "1.1"
    assert code_digest.__wrapped__() != first


def test_another_schema_version_is_a_miss(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(KEY, CURVE)
        assert store.get(NewCurve, KEY) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_or_cut_is_a_miss_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    with Store(tmp_path) as store:
        store.put(KEY, CURVE)
        path = data.draw(st.sampled_from(sorted((tmp_path / "facts").rglob("*.*"))))
        whole = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(whole) - 1))
        if data.draw(st.booleans()):
            whole[position] ^= 1 << data.draw(st.integers(0, 7))
        else:
            del whole[position:]
        path.write_bytes(whole)
        found = store.get(Curve, KEY)
        if found is not None:  # the flip changed nothing that is read, such as the case of a digit's escape
            np.testing.assert_array_equal(found.values, CURVE.values)
            assert found.name == CURVE.name


def test_a_changed_unit_is_a_miss(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        file = store.scratch(".mp4")
        file.write_bytes(b"pictures")
        kept = store.put_unit(KEY, file, "mp4")
        assert store.unit(KEY, "mp4") == kept
        assert not file.exists()
        kept.write_bytes(b"picturez")
        assert store.unit(KEY, "mp4") is None
        store.discard_unit(KEY, "mp4")
        assert list((tmp_path / "units").rglob("*.*")) == []


def test_digests_are_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "take.mp4"
    file.write_bytes(b"one")
    with Store(tmp_path / "store") as store:
        first = store.file_digest(file)
        assert first == content_digest(file)
        with monkeypatch.context() as context:
            context.setattr("postpipe.engine.store.content_digest", lambda path: pytest.fail("read again"))
            assert store.file_digest(file) == first
        status = file.stat()
        file.write_bytes(b"two")
        assert store.file_digest(file) != first
        # Same size, same time: only --rehash looks into the file.
        file.write_bytes(b"six")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        stale = store.file_digest(file)
        file.write_bytes(b"ten")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert store.file_digest(file) == stale
        assert store.file_digest(file, rehash=True) == content_digest(file) != stale


def test_only_the_scratch_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from postpipe.engine.store import Scratch;"
        "scratch = Scratch(pathlib.Path(sys.argv[1])); scratch.path('.mp4').write_bytes(b'half'); os._exit(9)"
    )
    root = tmp_path / "tmp"
    subprocess.run([sys.executable, "-c", script, str(root)], check=False)
    assert len(list(root.rglob("*.mp4"))) == 1
    with Scratch(root) as living:
        assert list(root.rglob("*.mp4")) == []
        living.path(".mov").write_bytes(b"in work")
        with Scratch(root):
            assert len(list(root.rglob("*.mov"))) == 1
    assert list(tmp_path.iterdir()) == []  # nor is the folder for it left


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(DeliveryError, match="cannot be written"):
        Store(blocked / "store")


def test_entries_are_plain_json(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(KEY, CURVE)
    entry = json.loads((tmp_path / "facts" / "ab" / f"{KEY}.json").read_text())
    assert entry["schema"] == "test.curve.1"


def test_a_second_name_is_the_same_content_with_links_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Outputs(tmp_path) as outputs:
        for name, links in (("linked.txt", True), ("copied.txt", False)):
            if not links:
                monkeypatch.setattr(Path, "hardlink_to", mock.Mock(side_effect=OSError("no links on this disk")))
            temporary = outputs.scratch(".txt")
            temporary.write_text(name)
            first = OutputFile(f".postpipe/unsigned/{name}", outputs.publish(temporary, f".postpipe/unsigned/{name}"))
            placed = outputs.place(first, name)
            assert placed == OutputFile(name, first.digest)
            assert (tmp_path / name).read_text() == name
            assert (tmp_path / name).samefile(tmp_path / first.path) == links
