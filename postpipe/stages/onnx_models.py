"""Models of the user's in ONNX: read, known by their content, and run by onnxruntime, which is loaded only then."""

from __future__ import annotations

import glob
import hashlib
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from postpipe.programs.command import content_digest

NEEDED = 'needs onnxruntime: pip install "postpipe[onnx]"'
"""What is said where it is not installed."""


def place(text: str) -> Path:
    """Return the file that a setting names."""
    return Path(text).expanduser().absolute()


def model_digest(path: Path) -> str:
    """Return a digest of a model's file, and of those beside it. Raises `OSError`.

    Large models keep their weights there: model.onnx.data, model.onnx_data.
    """
    files = [path, *sorted(file for file in path.parent.glob(f"{glob.escape(path.name)}?*") if file.is_file())]
    return hashlib.sha256("".join(map(content_digest, files)).encode()).hexdigest()


def runtime_version() -> str:
    """Return the version of onnxruntime. Raises `ImportError`."""
    runtime: Any = import_module("onnxruntime")
    return str(runtime.__version__)


@lru_cache(maxsize=4)
def session(path: str, digest: str, threads: int = 0) -> Any:
    """Return a model ready to run; `digest` is of what was asked. Raises the runtime's own classes.

    `threads`: 0 takes what there is, which is for large pictures; small ones are run sooner by one, beside other clips.
    """
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    known = runtime.get_available_providers()
    providers = [one for one in ("CUDAExecutionProvider", "CPUExecutionProvider") if one in known]
    return runtime.InferenceSession(path, options, providers=providers)


def first_line(error: Exception) -> str:
    """Return what the runtime says of an error, without its trace."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
