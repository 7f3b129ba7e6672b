"""ASC CDL files, read back as XML, and by OpenColorIO where it is installed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from postpipe.handover.cdl import edl_comments, write_ccc, write_cdl
from postpipe.look import Cdl

CDL = Cdl((1.1, 0.95, 1.02), (0.01, 0.0, -0.02), (1.1, 0.95, 1.0), 0.85)
SPACE = "{urn:ASC:CDL:v1.01}"


def numbers(correction: ElementTree.Element, name: str) -> list[float]:
    found = correction.find(f".//{SPACE}{name}")
    assert found is not None
    assert found.text is not None
    return [float(word) for word in found.text.split()]


def test_a_cdl_holds_one_decision(tmp_path: Path) -> None:
    path = tmp_path / "take.cdl"
    write_cdl(path, CDL, 'it\'s "one" <&> café\x01', ["warmer", "a\x00b"])
    root = ElementTree.parse(path).getroot()
    assert root.tag == f"{SPACE}ColorDecisionList"
    (correction,) = root.iter(f"{SPACE}ColorCorrection")
    assert correction.get("id") == 'it\'s "one" <&> café_'
    assert [node.text for node in correction.iter(f"{SPACE}Description")] == ["warmer", "a_b"]
    assert numbers(correction, "Slope") == list(CDL.slope)
    assert numbers(correction, "Offset") == list(CDL.offset)
    assert numbers(correction, "Power") == list(CDL.power)
    assert numbers(correction, "Saturation") == [CDL.saturation]


def test_a_collection_holds_all_by_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "film.ccc"
    write_ccc(path, {"a": (CDL, ["first"]), "b": (Cdl(), [])}, ["of a film"])
    root = ElementTree.parse(path).getroot()
    assert root.tag == f"{SPACE}ColorCorrectionCollection"
    corrections = {node.get("id"): node for node in root.iter(f"{SPACE}ColorCorrection")}
    assert list(corrections) == ["a", "b"]
    assert numbers(corrections["a"], "Slope") == list(CDL.slope)
    assert numbers(corrections["b"], "Saturation") == [1.0]


def test_comments_of_an_edl() -> None:
    sop, sat = edl_comments(CDL)
    assert sop == ("ASC_SOP (1.100000 0.950000 1.020000)(0.010000 0.000000 -0.020000)(1.100000 0.950000 1.000000)")
    assert sat == "ASC_SAT 0.850000"


@pytest.mark.parametrize("suffix", [".cdl", ".ccc"])
def test_opencolorio_reads_and_does_the_same(tmp_path: Path, suffix: str) -> None:
    ocio = pytest.importorskip("PyOpenColorIO", reason="needs opencolorio: pip install opencolorio")
    path = tmp_path / f"take{suffix}"
    if suffix == ".cdl":
        write_cdl(path, CDL, "take 1")
    else:
        write_ccc(path, {"other": (Cdl(), []), "take 1": (CDL, [])})
    transform = ocio.FileTransform(str(path), "take 1", ocio.INTERP_BEST)
    transform.setCDLStyle(ocio.CDL_ASC)
    processor = ocio.Config.CreateRaw().getProcessor(transform)
    theirs = np.random.default_rng(0).random((1000, 3)).astype(np.float32)
    ours = CDL.apply(theirs.astype(np.float64))
    processor.getDefaultCPUProcessor().applyRGB(theirs)
    np.testing.assert_allclose(theirs, ours, atol=2e-5)
