# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""From the scores of two searches to a few candidates, and from those to some that differ.

Floors for 10,000 memories: `fuse` reads 160 kB and writes 200 kB within the second cache in three
passes, 10 us; `largest` reads 40 kB three times, 4 us, and orders some 200 places. What depends on
the scores is asked without branches, four numbers at a time: a branch that is guessed wrongly for
one memory in three would cost more than all the rest.
"""

from libc.math cimport INFINITY, NAN, fabs, fabsf, isnan, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, malloc

import numpy as np

from astraweave.errors import InputError

__all__ = ["diversify", "fuse", "largest"]

cdef double NO_SPREAD = 1e-5
cdef extern from *:
    """
    static const float BEFORE = 0.6f, BEFORE_2 = 0.3f, AFTER = 0.4f, AFTER_2 = 0.2f;
    """
    const float BEFORE, BEFORE_2, AFTER, AFTER_2
cdef enum:
    LANES = 8
    BLOCK = 32
    GROUPS = 1024
    GUESSES = 24


cdef struct Line:
    # What makes a score a z-score: factor * (score - mean).
    float mean
    float factor


cdef Line standard(const float* scores, Py_ssize_t n) noexcept nogil:
    """Sums of differences from the first known score: equal scores have no spread at all."""
    cdef double sums[LANES]
    cdef double squares[LANES]
    cdef float differences[BLOCK]
    cdef double sum = 0.0, square = 0.0, mean, spread, d
    cdef float first = 0.0, one
    cdef Py_ssize_t i = 0, j, lane, size
    cdef int32_t known = 0
    cdef Line line
    line.mean = 0.0
    line.factor = 0.0
    for j in range(n):
        if not isnan(scores[j]):
            first = scores[j]
            break
    for lane in range(LANES):
        sums[lane] = squares[lane] = 0.0
    for j in range(n):
        known += scores[j] == scores[j]
    while i < n:
        size = min(<Py_ssize_t> BLOCK, n - i)
        for j in range(size):
            one = scores[i + j] - first
            differences[j] = one if one == one else <float> 0.0
        for j in range(size, BLOCK):
            differences[j] = 0.0
        j = 0
        while j < BLOCK:
            for lane in range(LANES):
                d = differences[j + lane]
                sums[lane] += d
                squares[lane] += d * d
            j += LANES
        i += BLOCK
    for lane in range(LANES):
        sum += sums[lane]
        square += squares[lane]
    if known == 0:
        return line
    mean = sum / known
    spread = square / known - mean * mean
    spread = sqrt(spread) if spread > 0.0 else 0.0
    if spread < NO_SPREAD:
        return line
    line.mean = <float> (first + mean)
    line.factor = <float> (1.0 / spread)
    return line


cdef inline float z_score(float score, Line line) noexcept nogil:
    """0 where there is no score."""
    cdef float z = (score - line.mean) * line.factor
    return z if z == z else <float> 0.0


cdef void add_up(
    const float* words, const float* meaning, Py_ssize_t n, float* by_words, float* by_meaning,
    float* sums,
) noexcept nogil:
    cdef Line of_words = standard(words, n), of_meaning = standard(meaning, n)
    cdef float one, other
    cdef Py_ssize_t i
    for i in range(n):
        one = z_score(words[i], of_words)
        other = z_score(meaning[i], of_meaning)
        by_words[i] = one
        by_meaning[i] = other
        sums[i] = one + other


cdef void link(const double* times, Py_ssize_t n, double gap, float* joined) noexcept nogil:
    """1 where a memory is of the same sitting as the one before it."""
    cdef Py_ssize_t i
    joined[0] = 0.0
    for i in range(1, n):
        joined[i] = <float> (fabs(times[i] - times[i - 1]) <= gap)


cdef void round_about(
    const float* sums, const float* joined, Py_ssize_t n, float* positive, float* to
) noexcept nogil:
    """Links that are 0 or 1 stand for the questions whether a neighbour is there and near.

    Two numbers before and behind `joined` and `positive` are 0.
    """
    cdef Py_ssize_t i
    for i in range(n):
        positive[i] = (sums[i] + fabsf(sums[i])) * <float> 0.5
    for i in range(n):
        to[i] = (
            sums[i]
            + BEFORE * positive[i - 1] * joined[i]
            + BEFORE_2 * positive[i - 2] * (joined[i] * joined[i - 1])
            + AFTER * positive[i + 1] * joined[i + 1]
            + AFTER_2 * positive[i + 2] * (joined[i + 1] * joined[i + 2])
        )


cdef void begin(const float* joined, Py_ssize_t n, int32_t* begun) noexcept nogil:
    cdef int32_t at = 0
    cdef Py_ssize_t i
    for i in range(n):
        at = at if joined[i] else <int32_t> i
        begun[i] = at


def fuse(
    const float[::1] words, const float[::1] meaning, const double[::1] game_time, starts, *,
    double gap,
):
    cdef Py_ssize_t n = words.shape[0]
    cdef float[:, ::1] to
    cdef int32_t[::1] first
    cdef float* scratch
    cdef float* joined
    if meaning.shape[0] != n or game_time.shape[0] != n:
        raise InputError(
            f"{n} and {meaning.shape[0]} scores and {game_time.shape[0]} times do not belong"
            " together"
        )
    begins = [start for start in starts if 0 <= start < n]
    table = np.empty((4, n), np.float32)
    begun = np.empty(n, np.int32)
    to = table
    first = begun
    if n:
        scratch = <float*> calloc(2 * (n + 4), sizeof(float))
        if scratch == NULL:
            raise MemoryError()
        joined = scratch + 2
        with nogil:
            add_up(&words[0], &meaning[0], n, &to[0, 0], &to[1, 0], &to[2, 0])
            link(&game_time[0], n, gap, joined)
        for start in begins:
            joined[<Py_ssize_t> start] = 0.0
        with nogil:
            round_about(&to[2, 0], joined, n, joined + n + 4, &to[3, 0])
            begin(joined, n, &first[0])
            free(scratch)
    return table[0], table[1], table[2], table[3], begun


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


cdef void choose(
    const float* scores, const int64_t* among, Py_ssize_t n, int64_t* heap, Py_ssize_t m
) noexcept nogil:
    """The `m` best of `n` places, best first; 0 < m <= n."""
    cdef Py_ssize_t i
    cdef int64_t worst
    for i in range(m):
        heap[i] = among[i]
    for i in range(m // 2 - 1, -1, -1):
        sink(scores, heap, i, m)
    for i in range(m, n):
        if comes_before(scores, among[i], heap[0]):
            heap[0] = among[i]
            sink(scores, heap, 0, m)
    for i in range(m - 1, 0, -1):
        worst = heap[0]
        heap[0] = heap[i]
        heap[i] = worst
        sink(scores, heap, 0, i)


cdef float bar(const float* scores, Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    """What at least `most` scores reach, and not many more; n >= GROUPS > most.

    The best of each of many groups stand for all: as many groups reach a score, so many scores do.
    """
    cdef float best[GROUPS]
    cdef float low, high, middle
    cdef int32_t reach
    cdef int guess
    cdef Py_ssize_t i = GROUPS, j
    for j in range(GROUPS):
        best[j] = scores[j]
    while i + GROUPS <= n:
        for j in range(GROUPS):
            best[j] = max(best[j], scores[i + j])
        i += GROUPS
    low = high = best[0]
    for j in range(GROUPS):
        low = min(low, best[j])
        high = max(high, best[j])
    for guess in range(GUESSES):
        middle = low + (high - low) * <float> 0.5
        reach = 0
        for j in range(GROUPS):
            reach += best[j] >= middle
        if reach < most:
            high = middle
        else:
            low = middle
            if reach < most + most // 8 + 4:
                break
    return low


cdef Py_ssize_t reaching(
    const float* scores, Py_ssize_t n, float least, int64_t* found
) noexcept nogil:
    """Places of all scores that are not below `least`; how many."""
    cdef Py_ssize_t i = 0, j, count = 0
    cdef int32_t some
    while i + BLOCK <= n:
        some = 0
        for j in range(i, i + BLOCK):
            some += scores[j] >= least
        if some:
            for j in range(i, i + BLOCK):
                found[count] = j
                count += scores[j] >= least
        i += BLOCK
    for j in range(i, n):
        found[count] = j
        count += scores[j] >= least
    return count


def largest(const float[::1] scores, Py_ssize_t most):
    cdef Py_ssize_t i, n = scores.shape[0], count, unknown = 0
    cdef int64_t* found
    cdef int64_t[::1] places
    cdef float least = -INFINITY
    if most < 0:
        raise InputError(f"at most {most} places cannot be chosen")
    for i in range(n):
        unknown += scores[i] != scores[i]
    if unknown:
        raise InputError(f"{unknown} of {n} scores are no numbers")
    chosen = np.empty(min(most, n), np.int64)
    places = chosen
    if not places.shape[0]:
        return chosen
    found = <int64_t*> malloc((n + 1) * sizeof(int64_t))  # one is written behind the last
    if found == NULL:
        raise MemoryError()
    with nogil:
        if most < GROUPS // 2 and n >= 4 * GROUPS:
            least = bar(&scores[0], n, most)
        count = reaching(&scores[0], n, least, found)
        choose(&scores[0], found, count, &places[0], places.shape[0])
        free(found)
    return chosen


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
