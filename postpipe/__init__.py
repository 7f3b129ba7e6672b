"""postpipe: a folder of AI-generated takes becomes one finished sequence.

`postpipe.run`, `inspect`, `extract`, `assemble`, `verify`, `export` and `plan` do what the commands of the same name
do, and return the facts that those print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Account", "assemble", "export", "extract", "inspect", "plan", "run", "verify"]

if TYPE_CHECKING:
    from postpipe.api import assemble, export, extract, inspect, plan, run, verify
    from postpipe.engine.account import Account


def __getattr__(name: str) -> Any:
    # Imported when asked for: `postpipe --help` must not load numba, av or cv2.
    if name == "Account":
        from postpipe.engine.account import Account

        return Account
    if name in __all__:
        from postpipe import api

        return getattr(api, name)
    raise AttributeError(f"module 'postpipe' has no attribute {name!r}")
