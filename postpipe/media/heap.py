"""Give every encoder the same memory to start from.

x264's look-ahead reads memory that it never wrote (seen in the builds that PyAV's wheels bundle: with B-frames and
macroblock-tree rate control, the defaults, equal frames gave other bytes on most runs, with one thread as with
several). What it finds there depends on what the process did before, so a resumed run would not end with the bytes
of an unbroken one. glibc can fill every block that it hands out; then the encoder finds the same everywhere.
"""

from __future__ import annotations

import ctypes
import functools

_M_PERTURB = -6  # malloc.h: fill allocated memory with a byte
_FILL = 1


@functools.cache
def settled() -> bool:
    """Have new memory filled from now on; return whether this platform's C library can.

    Costs one write of each block that is allocated; no difference in processor time was measured.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_PERTURB, _FILL))
    except (AttributeError, OSError, TypeError):  # another C library than glibc
        return False
