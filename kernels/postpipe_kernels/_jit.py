"""The one place with numba's options: the decorator for kernels, and the cache of their compiled code.

A kernel is compiled when it is first called with arrays of a new type (no signatures: they would be compiled
at import), releases the GIL, is serial (takes run side by side, so a kernel has one core), and neither checks
bounds nor reorders floating-point arithmetic: the same bytes come out on every machine.
`NUMBA_DISABLE_JIT=1` leaves every kernel a plain Python function.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, overload

from postpipe_kernels import _cache

Function = Callable[..., Any]

# numba's types cover what it documents; its cache and code generation are used here as untyped
numba: Any = import_module("numba")
caching: Any = import_module("numba.core.caching")
cgutils: Any = import_module("numba.core.cgutils")
runtime: Any = import_module("numba.core.runtime")
ir: Any = import_module("llvmlite.ir")


def _import_arrays_lightly() -> None:
    """Import numba's array support without loading SciPy's linear algebra, 0.2 s of processor time.

    numba only wants to know whether SciPy has a BLAS, for `np.cov`; what really needs one loads it then.
    """
    blas = "scipy.linalg.cython_blas"
    if blas in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules[blas] = None  # type: ignore[assignment]  # makes an import of it fail at once
    try:
        arraymath: Any = import_module("numba.np.arraymath")
        arraymath._HAVE_BLAS = find_spec("scipy") is not None
    finally:
        del sys.modules[blas]


_listener: ContextVar[Callable[[str], None] | None] = ContextVar("kernel_compile_listener", default=None)


@contextmanager
def on_compile(listener: Callable[[str], None]) -> Iterator[None]:
    """Call `listener(function name)` whenever this thread is about to compile a kernel, not when it loads one."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class _Locator(caching._CacheLocator):  # type: ignore[misc]
    """Tells numba's cache where a function's code lives; the directory's name stands for its sources."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.directory = _cache.kernel_directory()
        self._line = function.__code__.co_firstlineno
        self._py_file = inspect.getfile(function)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator:
        """Return the locator of a function; numba's door to this class."""
        return cls(py_func)

    def ensure_cache_path(self) -> None:
        """Make the directory, and on that occasion remove those of older sources."""
        if not self.directory.is_dir():
            self.directory.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                _cache.prune(self.directory.parent, keep=self.directory)

    def get_cache_path(self) -> str:
        """Return the directory as numba wants it."""
        return str(self.directory)

    def get_source_stamp(self) -> str:
        """Return what must be equal for a stored function to be up to date."""
        return _cache.kernels_digest()

    def get_disambiguator(self) -> str:
        """Return what tells functions of one name in one module apart."""
        return str(self._line)


class _CacheImpl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Locator,)


class _KernelCache(caching.FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, except that no fault of the disk ever stops a kernel."""

    _impl_class = _CacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the stored function, or `None` when it has to be compiled, which the listener is told.

        numba makes its whole compiler ready first, 0.2 s of processor time at each start. Code that is compiled
        already needs its runtime alone.
        """
        found = None
        try:
            runtime.rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                found = self._load_overload(sig, target_context)
        except OSError:
            pass  # cannot be read: compile
        except Exception:  # torn or foreign, whatever it raises: compile, and start the index anew
            with suppress(OSError):
                self.flush()
        if found is None:
            _import_arrays_lightly()
            listener = _listener.get()
            if listener is not None:
                listener(self._py_func.__name__)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a compiled function, if the disk lets us."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn_no_cache(f"{self.cache_path}: {error.strerror}")


@cache
def _warn_no_cache(reason: str) -> None:
    warnings.warn(
        f"compiled kernels cannot be kept ({reason}): every run compiles them again; "
        "POSTPIPE_CACHE_DIR names another directory",
        RuntimeWarning,
        stacklevel=2,
    )


@overload
def kernel(function: Function, /) -> Function: ...
@overload
def kernel(*, fastmath: bool = False) -> Callable[[Function], Function]: ...
def kernel(function: Any = None, /, *, fastmath: bool = False) -> Any:
    """Make a kernel of a function: `@kernel`, or `@kernel(fastmath=True)` where its tolerance allows that."""
    if function is None:
        return partial(_compiled, fastmath=fastmath)
    return _compiled(function, fastmath)


def _compiled(function: Function, fastmath: bool) -> Function:
    if numba.config.DISABLE_JIT:
        return function
    # error_model "numpy": a division yields inf instead of a branch to raise, which would stop vectorising
    dispatcher: Any = numba.njit(nogil=True, fastmath=fastmath, boundscheck=False, error_model="numpy")(function)
    try:
        dispatcher._cache = _KernelCache(function)
    except (OSError, RuntimeError) as error:  # sources that cannot be read, or a user without a home
        _warn_no_cache(str(error))
    compiled: Function = dispatcher
    return compiled


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask the processor to bring a sample of a 1-D contiguous array into its cache; no effect otherwise."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte_pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte_pointer, word, word, word]), "llvm.prefetch.p0"
        )
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte_pointer)
        read, every_cache_level, data_cache = word(0), word(3), word(1)
        builder.call(function, [address, read, every_cache_level, data_cache])
        return context.get_dummy_value()

    return numba.types.void(array, index), emit


def _no_prefetch(array: Any, index: Any) -> None:
    """Stand in where kernels are plain Python."""


prefetch: Any = _no_prefetch if numba.config.DISABLE_JIT else numba.extending.intrinsic(_prefetch)
