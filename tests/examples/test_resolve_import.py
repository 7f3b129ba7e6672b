"""The script for DaVinci Resolve Studio, against a stand-in that does what Resolve's scripting README says."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import opentimelineio as otio_library
import pytest

from postpipe.handover import fcp7, otio
from tests.handover.films import random_film

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "resolve_import.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("resolve_import", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Graph:
    project: Project
    luts: dict[int, str] = field(default_factory=dict)

    def SetLUT(self, node: int, path: str) -> bool:
        if node != 1 or path not in self.project.known:
            return False
        self.luts[node] = path
        return True


class Item:
    def __init__(self, project: Project, name: str) -> None:
        self.name = name
        self.graph = Graph(project)
        self.cdl: dict[str, str] = {}

    def GetName(self) -> str:
        return self.name

    def GetNodeGraph(self) -> Graph:
        return self.graph

    def SetCDL(self, cdl: dict[str, str]) -> bool:
        assert all(isinstance(value, str) for value in cdl.values())
        self.cdl = cdl
        return set(cdl) == {"NodeIndex", "Slope", "Offset", "Power", "Saturation"} and cdl["NodeIndex"] == "1"


@dataclass
class Timeline:
    name: str
    items: list[Item]

    def GetName(self) -> str:
        return self.name

    def GetItemListInTrack(self, kind: str, index: int) -> list[Item]:
        return self.items if (kind, index) == ("video", 1) else []


class Project:
    """Project, project manager, media pool and application in one."""

    def __init__(self, luts: Path) -> None:
        self.luts = luts
        self.known: set[str] = set()
        self.timelines: list[Timeline] = []
        self.current: Timeline | None = None

    def GetProjectManager(self) -> Project:
        return self

    GetCurrentProject = GetMediaPool = GetProjectManager

    def RefreshLUTList(self) -> bool:
        self.known = {path.relative_to(self.luts).as_posix() for path in self.luts.rglob("*.cube")}
        return True

    def GetTimelineCount(self) -> int:
        return len(self.timelines)

    def GetTimelineByIndex(self, index: int) -> Timeline:
        return self.timelines[index - 1]

    def SetCurrentTimeline(self, timeline: Timeline) -> bool:
        self.current = timeline
        return True

    def ImportTimelineFromFile(self, path: str, options: dict[str, Any]) -> Timeline | None:
        known = {"timelineName", "importSourceClips", "sourceClipsPath", "sourceClipsFolders", "interlaceProcessing"}
        if set(options) - known or options["timelineName"] in {one.name for one in self.timelines}:
            return None
        read = otio_library.adapters.read_from_file(path, "fcp_xml")
        clips = [clip.name for track in read.video_tracks() for clip in track.find_clips()]
        self.timelines.append(Timeline(options["timelineName"], [Item(self, name) for name in clips]))
        return self.timelines[-1]


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    out = tmp_path / "my film"
    (out / "looks").mkdir(parents=True)
    (out / "looks" / "a.cube").write_text("LUT_3D_SIZE 2\n", encoding="utf-8")
    film = random_film(5, tmp_path)
    otio.write(film, out / "timeline-ungraded.otio")
    fcp7.write(film, out / "timeline-ungraded.xml")
    return out


def test_every_clip_gets_its_look_and_no_other(script: ModuleType, delivery: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "LUT")
    timeline, looked = script.import_delivery(project, delivery, tmp_path / "LUT")
    cuts = random_film(5, tmp_path).pictures[0].cuts
    assert project.current is timeline
    assert looked == sum(cut.look is not None for cut in cuts) > 0
    for cut, item in zip(cuts, timeline.items, strict=True):
        assert item.graph.luts == ({1: "postpipe/my film/a.cube"} if cut.look else {})


def test_cdls_instead(script: ModuleType, delivery: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "LUT")
    timeline, _ = script.import_delivery(project, delivery, tmp_path / "LUT", use_cdl=True)
    for cut, item in zip(random_film(5, tmp_path).pictures[0].cuts, timeline.items, strict=True):
        assert bool(item.cdl) == bool(cut.look)
        if cut.look:
            assert [float(part) for part in item.cdl["Slope"].split()] == list(cut.look.cdl.slope)
            assert float(item.cdl["Saturation"]) == cut.look.cdl.saturation
    assert not (tmp_path / "LUT").exists()


def test_a_second_import_gets_a_name_of_its_own(script: ModuleType, delivery: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "LUT")
    for _ in range(2):
        script.import_delivery(project, delivery, tmp_path / "LUT")
    assert [one.name for one in project.timelines] == ["my film timeline-ungraded", "my film timeline-ungraded 2"]


def test_what_does_not_agree_is_said(script: ModuleType, delivery: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "LUT")
    project.known.add("postpipe/my film/a.cube")
    whole = project.ImportTimelineFromFile

    def loses_one(path: str, options: dict[str, Any]) -> Timeline | None:
        timeline = whole(path, options)
        assert timeline is not None
        del timeline.items[0]
        return timeline

    project.ImportTimelineFromFile = loses_one  # type: ignore[method-assign]
    with pytest.raises(script.ImportFailed, match="no looks were set"):
        script.import_delivery(project, delivery, tmp_path / "LUT")
