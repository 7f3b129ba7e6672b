"""Manifests in files that are written here: their place is kept free, the file is hashed around it, then it is filled.

The library's `Builder.sign` writes a file twice, in pieces of 8 kB. These three steps, which its C interface has for
programs that write files themselves, read it once; its Python package does not wrap them yet.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import c2pa


def reserve(builder: c2pa.Builder, media_type: str) -> bytes:
    """Return a box of the size of the manifest, to be put where that will be. Raises `c2pa.C2paError`."""
    return _made(_library().c2pa_builder_placeholder, builder, media_type)


def bind(builder: c2pa.Builder, media_type: str, file: BinaryIO) -> None:
    """Take the hash of a file, all but the box that is reserved, into the manifest. Raises `c2pa.C2paError`."""
    import c2pa

    with c2pa.Stream(file) as stream:
        _check(_library().c2pa_builder_update_hash_from_stream(builder._handle, media_type.encode(), stream._stream))


def sign(builder: c2pa.Builder, media_type: str) -> bytes:
    """Return the box with the signed manifest, as long as the one that was reserved. Raises `c2pa.C2paError`."""
    return _made(_library().c2pa_builder_sign_embeddable, builder, media_type)


def _made(function: Callable[..., int], builder: c2pa.Builder, media_type: str) -> bytes:
    made = ctypes.POINTER(ctypes.c_ubyte)()
    size = function(builder._handle, media_type.encode(), ctypes.byref(made))
    _check(size)
    try:
        return ctypes.string_at(made, size)
    finally:
        _library().c2pa_free(made)


def _check(result: int) -> None:
    """Raise what the library has to say where it failed."""
    from c2pa import c2pa as wrapped

    wrapped._check_ffi_operation_result(result, "the manifest cannot be made", check=lambda found: found < 0)


@functools.cache
def _library() -> Any:
    """Return the library with the types of what is called here declared."""
    from c2pa import c2pa as wrapped

    library, builder, text = wrapped._lib, ctypes.POINTER(wrapped.C2paBuilder), ctypes.c_char_p
    for function in (library.c2pa_builder_placeholder, library.c2pa_builder_sign_embeddable):
        function.argtypes = [builder, text, ctypes.POINTER(ctypes.POINTER(ctypes.c_ubyte))]
        function.restype = ctypes.c_int64
    library.c2pa_builder_update_hash_from_stream.argtypes = [builder, text, ctypes.POINTER(wrapped.C2paStream)]
    return library
