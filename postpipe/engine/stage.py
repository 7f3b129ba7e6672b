"""The three shapes of stage: Analyser, Task and Filter, and the views of a frame that analysers ask for.

A stage is a frozen dataclass. Its fields are its parameters: they become the keys of its `section` in
`postpipe.toml`, command-line options and documentation. What it reads and makes is declared by the type
annotations of its methods, so nothing is wired by name or by hand:

    class FlickerCurves(Task):
        def run(self, track: FlickerTrack, every: Each[FlickerTrack]) -> Curves: ...
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import OutputFile
from postpipe.model import Artifact, Clip, ColourSpec, Frame, PixelFormat

if TYPE_CHECKING:
    from postpipe_kernels.lut3d import Lut3d

T = TypeVar("T")
StateT = TypeVar("StateT")
FactsT = TypeVar("FactsT", bound=Artifact)
ValueT = TypeVar("ValueT")


Scratch = Callable[[str], Path]
"""Gives a path for a new temporary file with this suffix."""


class Marker(enum.Enum):
    """What `Each`, `Rendered` and `PerUnit` leave on an annotation for the planner."""

    EACH = "each"
    RENDERED = "rendered"
    UNITS = "units"


Each = Annotated[Mapping[Path, T], Marker.EACH]
"""A project task's input: the artifact of every clip that has one, by the clip's path."""

Rendered = Annotated[T, Marker.RENDERED]
"""An input measured on the delivered picture of a clip that a fix changed, on the frames handed to the encoder."""

PerUnit = Annotated[Mapping[str, T], Marker.UNITS]
"""A project task's input: facts of each rendered unit by itself, of transitions too, by the unit's key."""


@dataclass(frozen=True)
class Stage(ABC):
    """Base of all stages. `id` names it in plans and keys; raise `version` when its method changes.

    Its fields are the keys of `section`, but for those that follow from others (`init=False`) and are part of its keys
    in the store alone; a field named by `open_field` takes the whole section as a table with keys of the user's, each
    of them the name of an `open_entry`.
    """

    id: ClassVar[str]
    version: ClassVar[int] = 1
    section: ClassVar[str | None] = None
    open_field: ClassVar[str | None] = None
    open_entry: ClassVar[str] = "scene"
    summary: ClassVar[str]


# Views


@dataclass(frozen=True)
class View(ABC, Generic[ValueT]):
    """A way to look at a frame, computed once per frame and shared by all analysers that name it.

    `needs` are other views it is derived from. Views that are equal are the same view.
    """

    @property
    def needs(self) -> tuple[View[Any], ...]:
        """The views that must be computed first."""
        return ()

    @abstractmethod
    def start(self, clip: Clip) -> Callable[[Look], ValueT]:
        """Return the function that computes the view for each frame of `clip`, in order."""


@dataclass(frozen=True)
class Sound:
    """The view of analysers that listen: they are stepped with `SoundBlock`s instead of frames.

    The clip's first sound stream at `rate_hz`, mixed to `channels`, from the first frame's time to the
    end of the last frame; silence where there is none.
    """

    rate_hz: int
    channels: int = 1


class Look:
    """One frame as analysers see it: the frame itself, and the views that were asked for."""

    __slots__ = ("_views", "frame")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._views: dict[View[Any], Any] = {}

    def __getitem__(self, view: View[ValueT]) -> ValueT:
        return self._views[view]  # type: ignore[no-any-return]

    def put(self, view: View[ValueT], value: ValueT) -> None:
        """Add a computed view (the look pass does this, in dependency order)."""
        self._views[view] = value


# Shapes


class Analyser(Stage, Generic[StateT, FactsT]):
    """Pixels or sound of one clip to facts. It reads nothing but the clip, so all analysers share one decode.

    `views` names what `step` looks up; an analyser with a `Sound` view has only that one. A frame and its
    views are valid during `step` only: keep copies of what is needed later.
    """

    views: ClassVar[tuple[View[Any] | Sound, ...]] = ()

    @abstractmethod
    def start(self, clip: Clip) -> StateT:
        """Return the state for one pass over `clip`."""

    def begin(self, clip: Clip, scratch: Scratch | None) -> StateT:
        """Start; recorders do it with a place for their files."""
        return self.start(clip)

    @abstractmethod
    def step(self, state: StateT, item: Any) -> None:
        """Take in the next `Look`, or the next `SoundBlock`."""

    @abstractmethod
    def finish(self, state: StateT) -> FactsT:
        """Return the facts. The return annotation declares what the analyser makes."""


class Recorder(Analyser[StateT, FactsT]):
    """An analyser that writes files of what it sees, such as stills.

    It rides along in a look that is made for others and never causes one. What it makes is `Transient`: whoever
    reads it takes `T | None`, and does the work without it where there was no look.
    """

    @abstractmethod
    def record(self, clip: Clip, scratch: Scratch) -> StateT:
        """Return the state for one pass over `clip`."""

    def start(self, clip: Clip) -> StateT:
        """Recorders need a place for their files."""
        raise NotImplementedError

    def begin(self, clip: Clip, scratch: Scratch | None) -> StateT:
        """Start with `record`."""
        return self.start(clip) if scratch is None else self.record(clip, scratch)


@runtime_checkable
class FromIndex(Protocol):
    """An analyser that can tell its facts from the file's index too, without decoding.

    It is only asked where every analyser of a plan can: what they do not say of the picture nobody wants then.
    """

    def from_index(self, clip: Clip) -> Artifact | None:
        """Return the facts, or `None` where the index does not tell."""


class Task(Stage):
    """Facts and decisions to decisions or files; no frames.

    `run` takes artifacts by the type of its parameters: `T`, `T | None` (where it exists), `Each[T]`,
    `Rendered[T]`, and `Desk` for tasks that write files. Its return annotation declares what it makes.
    With `scope = "clip"` it runs once for each clip, with `scope = "project"` once for all.
    `stored` keeps the result in the store; tasks that are cheaper than a look-up leave it off.
    """

    scope: ClassVar[str] = "clip"
    stored: ClassVar[bool] = False

    run: Callable[..., Artifact]

    @property
    def delivers(self) -> bool:
        """Whether its settings ask every run for what it makes: files that no other task needs."""
        return False

    def uses(self, kind: type[Artifact]) -> bool:
        """Whether its settings call for an optional input; what nobody calls for is not measured."""
        return True


class FixTask(Task):
    """A task that decides on a fix by which no picture is changed: it measures again by itself what comes of it.

    `fix` is its name in `--only` and in the report. Whoever reads what it makes takes `T | None`: none where the fix
    is not to be applied.
    """

    fix: ClassVar[str]


class Slot(enum.IntEnum):
    """Where a filter stands in the render pass: types cannot order frames → frames."""

    REPAIR = 1
    RETIME = 2
    OUTSIDE = 3
    SCALE = 4
    FIT = 5
    COLOUR = 6
    FINISH = 7
    REFRAME = 8
    MARK = 9


class Filter(Stage):
    """Frames to frames in the render pass.

    `bind` takes artifacts like `Task.run` and returns a `PointOp` or a `FrameFilter` made for one clip's
    decisions, or `None` when there is nothing to do. What it returns is a frozen dataclass: its content is
    the render's key.

    `grade`: it applies a look that is handed over as a table as well, and is left out of pictures that are to be
    graded elsewhere.
    """

    slot: ClassVar[Slot]
    grade: ClassVar[bool] = False
    bind: Callable[..., PointOp | FrameFilter | None]

    @property
    def name(self) -> str:
        """How `FilterFailed` and the report call it."""
        return self.id

    @property
    def dispensable(self) -> bool:
        """Whether a take for which it raises `FilterFailed` is rendered without it; else that take is left out."""
        return False


class FixFilter(Filter):
    """A filter that has to prove itself: `judge` compares the facts before and after, on the same analysers.

    `judge` takes artifacts like `Task.run`, among them `Rendered[T]`. When it says that the fix did not
    help, the clip is rendered again without it. `fix` is its name in `--only` and in the report.
    """

    fix: ClassVar[str]
    judge: Callable[..., Verdict]

    @property
    def name(self) -> str:
        """The fix that it makes."""
        return self.fix


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a fix is kept, with the figures that decided it."""

    kept: bool
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PointParams:
    """A point operation for one frame: a luma curve, then an affine map of (Y, Cb, Cr) code values, then a look.

    `luma_curve`: table of the frame's own bit depth. `chroma_curve`, `mixture` and `grid` go with it: chroma by luma,
    luma by chroma, and gains by place; see `postpipe_kernels.retouch`. `matrix` (3×3) and `offset` (3,): see
    `postpipe_kernels.colour.ycbcr_matrix`; `bits` is the bit depth and `colour` the coding that come out of it.
    `lut`, the same object for all frames of a clip, takes and gives that coding; see `postpipe_kernels.lut3d`.
    """

    luma_curve: NDArray[Any] | None = None
    chroma_curve: NDArray[np.float64] | None = None
    mixture: tuple[float, float] = (0.0, 0.0)
    grid: NDArray[np.float32] | None = None
    matrix: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    bits: int | None = None
    colour: ColourSpec | None = None
    lut: Lut3d | None = None


@runtime_checkable
class PointOp(Protocol):
    """A bound filter whose output pixel depends on the input pixel alone; neighbours are fused into one call."""

    def at(self, frame: Frame) -> PointParams | None:
        """Return the operation for `frame`, or `None` to leave it as it is."""


class Canvas(Protocol):
    """Gives a filter a new frame whose planes it may write, in memory that the encoder can take as it is."""

    def __call__(
        self,
        frame: Frame,
        *,
        pixel_format: PixelFormat | None = None,
        width: int | None = None,
        height: int | None = None,
        colour: ColourSpec | None = None,
    ) -> Frame:
        """Return a frame with the index and time of `frame` and, unless given, its shape and colour."""


@runtime_checkable
class FrameFilter(Protocol):
    """A bound spatial, temporal or outside filter.

    What it gives for a frame depends only on frames at most `margin_frames` away, so that a render can be
    taken up again in the middle. Raises `FilterFailed` where it cannot do its work.
    """

    @property
    def margin_frames(self) -> int:
        """Frames before and after one that it depends on."""

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        """Yield the filtered frames in order."""


@dataclass(frozen=True)
class Desk:
    """What a task that writes files may use. Files go to `scratch` first and are published whole by the engine.

    `unit(key, container)` is the path of a rendered unit. `publish(temporary, name)` moves a finished file to `name`
    below OUT and returns its content digest; `output(name)` is its path; `place(file, name)` gives a published file a
    second name. `decoded` counts frames that a task decodes
    for stills. `check` raises `Cancelled` when the run was asked to stop.
    """

    scratch: Scratch
    unit: Callable[[str, str], Path]
    publish: Callable[[Path, str], str]
    output: Callable[[str], Path]
    place: Callable[[OutputFile, str], OutputFile]
    decoded: Callable[[int], None]
    check: Callable[[], None]
    progress: Callable[[str, int, int], None]
