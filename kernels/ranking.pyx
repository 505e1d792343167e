# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""From scores of all memories to a few candidates, and from those to some that differ.

Floors for 10,000 memories: fusing reads two arrays twice and writes one, 200 kB in the first two
caches, 10 us; choosing looks at each sum once and at few of them twice.
"""

from libc.math cimport INFINITY, NAN, isnan, sqrt
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc

import numpy as np

from astraweave.errors import InputError

__all__ = ["diversify", "fuse", "gather", "largest"]

cdef double NO_SPREAD = 1e-9


cdef struct Line:
    # What makes a score a z-score: factor * (score - shift).
    float shift
    float factor


cdef Line standard(const float* scores, Py_ssize_t n, double weight) noexcept nogil:
    """Sums of differences from the first known score: equal scores have no spread at all."""
    cdef double sums[8]
    cdef double squares[8]
    cdef int64_t known[8]
    cdef double first = 0.0, sum = 0.0, square = 0.0, count = 0.0, mean, spread, d
    cdef Py_ssize_t i
    cdef int lane
    cdef Line line
    line.shift = 0.0
    line.factor = 0.0
    for i in range(n):
        if not isnan(scores[i]):
            first = scores[i]
            break
    for lane in range(8):
        sums[lane] = squares[lane] = 0.0
        known[lane] = 0
    for i in range(0, n - n % 8, 8):
        for lane in range(8):
            d = scores[i + lane] - first
            d = d if d == d else 0.0
            sums[lane] += d
            squares[lane] += d * d
            known[lane] += scores[i + lane] == scores[i + lane]
    for i in range(n - n % 8, n):
        d = scores[i] - first
        d = d if d == d else 0.0
        sums[0] += d
        squares[0] += d * d
        known[0] += scores[i] == scores[i]
    for lane in range(8):
        sum += sums[lane]
        square += squares[lane]
        count += known[lane]
    if count == 0.0:
        return line
    mean = sum / count
    spread = square / count - mean * mean
    spread = sqrt(spread) if spread > 0.0 else 0.0
    if spread < NO_SPREAD:
        return line
    line.shift = <float> (first + mean)
    line.factor = <float> (weight / spread)
    return line


cdef void add_line(
    const float* scores, Py_ssize_t n, Line line, bint is_first, float* to
) noexcept nogil:
    cdef Py_ssize_t i
    cdef float z
    if is_first:
        for i in range(n):
            z = (scores[i] - line.shift) * line.factor
            to[i] = z if z == z else <float> 0.0
    else:
        for i in range(n):
            z = (scores[i] - line.shift) * line.factor
            to[i] += z if z == z else <float> 0.0


cdef inline bint comes_before(const float* scores, int64_t a, int64_t b) noexcept nogil:
    """Higher scores first; of equals the later place."""
    return scores[a] > scores[b] or (scores[a] == scores[b] and a > b)


cdef void sink(const float* scores, int64_t* heap, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """The worst of `heap` stands at its top."""
    cdef int64_t moving = heap[at]
    cdef Py_ssize_t child
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and comes_before(scores, heap[child], heap[child + 1]):
            child += 1
        if comes_before(scores, heap[child], moving):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = moving


cdef void choose(const float* scores, Py_ssize_t n, int64_t* heap, Py_ssize_t m) noexcept nogil:
    """The `m` best places, best first; 0 < m <= n. NaN counts as the lowest of all."""
    cdef Py_ssize_t i
    cdef int64_t worst
    for i in range(m):
        heap[i] = i
    for i in range(m // 2 - 1, -1, -1):
        sink(scores, heap, i, m)
    for i in range(m, n):
        if scores[i] >= scores[heap[0]] and comes_before(scores, i, heap[0]):
            heap[0] = i
            sink(scores, heap, 0, m)
    for i in range(m - 1, 0, -1):
        worst = heap[0]
        heap[0] = heap[i]
        heap[i] = worst
        sink(scores, heap, 0, i)


def fuse(scores, weights, *, Py_ssize_t most):
    cdef list arrays = list(scores)
    cdef double[::1] factors = np.array(weights, np.float64)
    cdef const float[::1] one
    cdef float[::1] sums
    cdef int64_t[::1] places
    cdef Py_ssize_t i, n
    cdef Line line
    if not arrays or len(arrays) != factors.shape[0]:
        raise InputError(f"{len(arrays)} arrays of scores need as many weights, at least one")
    if most < 0:
        raise InputError(f"at most {most} places cannot be chosen")
    n = len(arrays[0])
    fused = np.empty(n, np.float32)
    chosen = np.empty(min(most, n), np.int64)
    sums = fused
    places = chosen
    for i in range(len(arrays)):
        one = arrays[i]
        if one.shape[0] != n:
            raise InputError(f"arrays of {n} and of {one.shape[0]} scores cannot be fused")
        if n == 0:
            continue
        with nogil:
            line = standard(&one[0], n, factors[i])
            add_line(&one[0], n, line, i == 0, &sums[0])
    if places.shape[0]:
        with nogil:
            choose(&sums[0], n, &places[0], places.shape[0])
    return fused, chosen


def largest(const float[::1] scores, Py_ssize_t most):
    cdef Py_ssize_t i, n = scores.shape[0]
    cdef int64_t[::1] places
    if most < 0:
        raise InputError(f"at most {most} places cannot be chosen")
    for i in range(n):
        if scores[i] != scores[i]:
            raise InputError(f"the score at place {i} is no number")
    chosen = np.empty(min(most, n), np.int64)
    places = chosen
    if places.shape[0]:
        with nogil:
            choose(&scores[0], n, &places[0], places.shape[0])
    return chosen


ctypedef fused Number:
    float
    double
    int8_t
    int32_t
    int64_t
    uint8_t


cdef int take(
    const Number[::1] column, const int64_t[::1] places, float[:, ::1] to, Py_ssize_t at
) except -1:
    cdef Py_ssize_t i, n = column.shape[0]
    for i in range(places.shape[0]):
        if not 0 <= places[i] < n:
            raise InputError(f"there is no place {places[i]} among {n}")
        to[i, at] = <float> column[places[i]]
    return 0


def gather(columns, const int64_t[::1] places):
    cdef list arrays = list(columns)
    cdef float[:, ::1] to
    cdef Py_ssize_t at
    features = np.empty((places.shape[0], len(arrays)), np.float32)
    if not arrays or not places.shape[0]:
        return features
    to = features
    for at in range(len(arrays)):
        column = arrays[at]
        kind = column.dtype.char
        if kind == "f":
            take[float](column, places, to, at)
        elif kind == "d":
            take[double](column, places, to, at)
        elif kind == "?":
            take[uint8_t](column.view(np.uint8), places, to, at)
        elif kind == "b":
            take[int8_t](column, places, to, at)
        elif column.dtype == np.int32:
            take[int32_t](column, places, to, at)
        elif column.dtype == np.int64:
            take[int64_t](column, places, to, at)
        else:
            raise InputError(f"a column of {column.dtype} cannot be gathered")
    return features


cdef float inner(const float* a, const float* b, Py_ssize_t n) noexcept nogil:
    cdef float sums[16]
    cdef float total = 0.0
    cdef Py_ssize_t i
    cdef int lane
    for lane in range(16):
        sums[lane] = 0.0
    for i in range(0, n - n % 16, 16):
        for lane in range(16):
            sums[lane] += a[i + lane] * b[i + lane]
    for i in range(n - n % 16, n):
        sums[0] += a[i] * b[i]
    for lane in range(16):
        total += sums[lane]
    return total


def diversify(
    const float[:, ::1] vectors, const float[::1] relevance, Py_ssize_t most, *, double balance
):
    cdef Py_ssize_t n = relevance.shape[0], dims = vectors.shape[1], wanted, round, i, best
    cdef int64_t[::1] order
    cdef float* nearest
    cdef float score, high, near
    if vectors.shape[0] != n:
        raise InputError(f"{n} candidates need as many vectors, got {vectors.shape[0]}")
    if most < 0 or not 0.0 <= balance <= 1.0:
        raise InputError("`most` is at least 0 and `balance` from 0 to 1")
    wanted = min(most, n)
    chosen = np.empty(wanted, np.int64)
    if wanted == 0:
        return chosen
    order = chosen
    nearest = <float*> malloc(n * sizeof(float))  # NaN: chosen already
    if nearest == NULL:
        raise MemoryError()
    with nogil:
        for i in range(n):
            nearest[i] = -INFINITY
        for round in range(wanted):
            best = -1
            high = 0.0
            for i in range(n):
                if isnan(nearest[i]):
                    continue
                near = nearest[i] if nearest[i] > -INFINITY else <float> 0.0
                score = <float> (balance * relevance[i] - (1.0 - balance) * near)
                if best < 0 or score > high:
                    best = i
                    high = score
            order[round] = best
            nearest[best] = NAN
            if round + 1 == wanted:
                break
            for i in range(n):
                if isnan(nearest[i]):
                    continue
                near = inner(&vectors[i, 0], &vectors[best, 0], dims) if dims else <float> 0.0
                if isnan(near):
                    near = 0.0  # one of the two has no vector
                if near > nearest[i]:
                    nearest[i] = near
        free(nearest)
    return chosen
