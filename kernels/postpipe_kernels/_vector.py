"""Four dot products at once, in the instructions that processors have for them; numba's loops do not become these."""

from __future__ import annotations

from typing import Any

import numpy as np

from postpipe_kernels._jit import ir, numba

TAPS = 32
"""Samples and weights of each dot product."""

SCALE_BITS = 13
"""Weights are multiples of 1 / 2**13."""

_HALF = 1 << (SCALE_BITS - 1)


def _four_dots(typing_context: Any, samples: Any, i: Any, weights: Any, j: Any, top: Any) -> Any:
    """Return the four dot products of `samples[i:]` with rows of `weights[j:]`, rounded and clipped to 0…`top`.

    Both are 1-D, contiguous int16; the row of weights are `TAPS` apart. Results are 16-bit numbers in one of 64 bits,
    the first one lowest. Nothing is checked.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        short, word, long = ir.IntType(16), ir.IntType(32), ir.IntType(64)

        def constant(values: Any) -> Any:
            return ir.Constant(ir.VectorType(word, len(values)), list(values))

        def load(number: int, index: Any, offset: int) -> Any:
            data = context.make_array(signature.args[number])(context, builder, arguments[number]).data
            start = builder.gep(builder.gep(data, [index]), [word(offset)])
            loaded = builder.load(builder.bitcast(start, ir.VectorType(short, TAPS).as_pointer()))
            loaded.align = 2
            return loaded

        def every_other(one: Any, other: Any, first: int) -> Any:
            return builder.shuffle_vector(one, other, constant(range(first, 2 * one.type.count, 2)))

        def half(vector: Any, first: int) -> Any:  # pairs multiplied and added are one instruction on most processors
            none = ir.Constant(vector.type, ir.Undefined)
            picked = builder.shuffle_vector(vector, none, constant(range(first, TAPS, 2)))
            return builder.sext(picked, ir.VectorType(word, TAPS // 2))

        def fold(one: Any, other: Any) -> Any:
            return builder.add(every_other(one, other, 0), every_other(one, other, 1))

        def fold_in_two(vector: Any) -> Any:
            none, count = ir.Constant(vector.type, ir.Undefined), vector.type.count
            parts = [builder.shuffle_vector(vector, none, constant(range(first, count, 2))) for first in (0, 1)]
            return builder.add(*parts)

        patch = load(0, arguments[1], 0)
        sums = []
        for row in range(4):
            factors = load(2, arguments[3], row * TAPS)
            products = [builder.mul(half(patch, first), half(factors, first)) for first in (0, 1)]
            sums.append(builder.add(*products))
        total = fold_in_two(fold_in_two(fold(fold(sums[0], sums[1]), fold(sums[2], sums[3]))))
        total = builder.ashr(builder.add(total, constant([_HALF] * 4)), constant([SCALE_BITS] * 4))
        none, zero = ir.Constant(total.type, ir.Undefined), constant([0] * 4)
        limit = builder.shuffle_vector(builder.insert_element(none, arguments[4], word(0)), none, zero)
        total = builder.select(builder.icmp_signed("<", total, zero), zero, total)
        total = builder.select(builder.icmp_signed(">", total, limit), limit, total)
        return builder.bitcast(builder.trunc(total, ir.VectorType(short, 4)), long)

    return numba.types.int64(samples, i, weights, j, numba.types.int32), emit


def _plain_four_dots(samples: Any, i: Any, weights: Any, j: Any, top: Any) -> int:
    """Stand in where kernels are plain Python."""
    i, j = int(i), int(j)
    rows = weights[j : j + 4 * TAPS].reshape(4, TAPS).astype(np.int64)
    sums = (rows @ samples[i : i + TAPS].astype(np.int64) + _HALF) >> SCALE_BITS
    return sum(int(value) << 16 * place for place, value in enumerate(sums.clip(0, int(top))))


four_dots: Any = _plain_four_dots if numba.config.DISABLE_JIT else numba.extending.intrinsic(_four_dots)
