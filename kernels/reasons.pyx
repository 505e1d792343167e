# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""What speaks for each candidate of a question: the numbers of `astraweave.rag._features`.

Floor: some forty numbers of each of 150 candidates, 5 us, where NumPy's calls alone take 150.
"""

from libc.math cimport exp2, log1p
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

import numpy as np

from astraweave.errors import InputError

__all__ = ["ROWS", "reasons"]

ROWS = 34

cdef enum:
    ASKS = 1
    HOLDS_QUESTION = 2
    SPEAKS_OF_SELF = 4
    TELLS_TIME = 8
    COUNTS = 16
    NAMES = 32
    TELLS_PAST = 64
    TELLS_PLANS = 128

cdef double LONG_CHARS = 300.0
cdef int OPENING = 2
cdef float SITTING_BAR = 1.0


cdef inline float above(float x) noexcept nogil:
    return x if x > 0 else <float> 0.0


cdef double among(int32_t code, const int64_t[::1] wanted) noexcept nogil:
    cdef Py_ssize_t i
    if wanted.shape[0] == 0:
        return 0.5
    for i in range(wanted.shape[0]):
        if wanted[i] == code:
            return 1.0
    return 0.0


cdef inline int32_t higher(const float* scores, Py_ssize_t n, float than) noexcept nogil:
    """How many are higher."""
    cdef int32_t count = 0
    cdef Py_ssize_t i
    for i in range(n):
        count += scores[i] > than
    return count


def reasons(
    scores, columns, const int64_t[::1] places, const float[::1] topics, const float[::1] hop,
    said_by, int asked, span, double now, double day, int64_t event,
):
    cdef const float[::1] words = scores.words
    cdef const float[::1] meaning = scores.meaning
    cdef const float[::1] sums = scores.sums
    cdef const float[::1] window = scores.window
    cdef const int32_t[::1] begun = scores.begun
    cdef const double[::1] game_time = columns.game_time
    cdef const float[::1] importance = columns.importance
    cdef const int32_t[::1] speaker = columns.speaker
    cdef const int32_t[::1] addressee = columns.addressee
    cdef const uint8_t[::1] superseded = columns.superseded.view(np.uint8)
    cdef const int32_t[::1] length = columns.length
    cdef const int16_t[::1] traits = columns.traits
    cdef const int64_t[::1] wanted = np.array(said_by, np.int64)
    cdef Py_ssize_t n = words.shape[0], c = places.shape[0], i, j, p, at
    cdef double start = 0.0, end = 0.0, far = 1.0, away, said, best, most, high
    cdef bint has_span = span is not None
    cdef int look
    cdef double[:, ::1] to
    cdef int64_t[::1] first
    cdef float[:, ::1] mine
    cdef float best_sum, best_spoken, best_meaning
    for one in (
        scores.meaning, scores.sums, scores.window, scores.begun, columns.game_time,
        columns.importance, columns.speaker, columns.addressee, columns.superseded,
        columns.length, columns.traits,
    ):
        if len(one) != n:
            raise InputError(f"a column of {len(one)} does not belong to {n} scores")
    if topics.shape[0] != c or hop.shape[0] != c:
        raise InputError(f"{c} candidates need as many topics and links")
    for i in range(c):
        if not 0 <= places[i] < n:
            raise InputError(f"there is no place {places[i]} among {n}")
    if has_span:
        start, end = span
        far = min(max(end - start, 0.25 * day), 31.0 * day)
    table = np.zeros((ROWS, c), np.float64)
    sittings = np.empty(c, np.int64)
    if c == 0:
        return table
    to = table
    first = sittings
    mine = np.empty((2, c), np.float32)
    with nogil:
        for i in range(c):
            p = places[i]
            look = traits[p]
            said = among(speaker[p], wanted)
            at = begun[p]
            first[i] = at
            to[0, i] = meaning[p]
            to[1, i] = window[p]
            to[6, i] = said
            to[9, i] = among(addressee[p], wanted)
            if at < p:
                to[4, i] = words[p - 1]
                if at < p - 1:
                    to[5, i] = words[p - 2]
                if traits[p - 1] & HOLDS_QUESTION:
                    to[12, i] = above(meaning[p - 1])
            if look & ASKS:
                to[7, i] = said
                to[10, i] = 1.0
            if look & SPEAKS_OF_SELF:
                to[8, i] = said
            to[11, i] = (look & HOLDS_QUESTION) != 0
            to[13, i] = (look & COUNTS) != 0
            to[14, i] = (look & NAMES) != 0
            to[15, i] = (look & TELLS_PLANS) != 0
            to[16, i] = log1p(min(<double> length[p], LONG_CHARS) / 6.0)
            to[17, i] = p - at < OPENING
            # What is asked for: the same bits as in the caller.
            to[18, i] = (asked & 1) != 0 and (look & TELLS_TIME) != 0
            to[19, i] = (asked & 1) != 0 and (look & TELLS_PAST) != 0
            to[20, i] = (asked & 2) != 0 and (look & COUNTS) != 0
            to[21, i] = (asked & 4) != 0 and (look & NAMES) != 0
            to[22, i] = (asked & 8) != 0 and (look & NAMES) != 0
            if has_span:
                away = max(max(start - game_time[p], game_time[p] - end), 0.0)
                to[26, i] = 1.0 / (1.0 + away / far)
                to[32, i] = (asked & 32) != 0 and away == 0.0
            to[27, i] = exp2(min(game_time[p] - now, 0.0) / day)
            to[33, i] = p == event
            to[28, i] = topics[i]
            to[29, i] = hop[i]
            to[30, i] = importance[p]
            to[31, i] = superseded[p] != 0 and (asked & 16) == 0
        # Ranks: every candidate against every other, in rows that lie side by side.
        for i in range(c):
            mine[0, i] = words[places[i]]
            mine[1, i] = sums[places[i]]
        for i in range(c):
            to[2, i] = 1.0 / (1.0 + higher(&mine[0, 0], c, mine[0, i]))
            to[3, i] = log1p(<double> higher(&mine[1, 0], c, mine[1, i]))
        # Sittings: the first candidate of each adds up, the others say the same.
        for i in range(c):
            j = 0
            while first[j] != first[i]:
                j += 1
            if j < i:
                for p in range(23, 26):
                    to[p, i] = to[p, j]
                continue
            best_sum = mine[1, i]
            best_meaning = meaning[places[i]]
            best_spoken = 0.0
            for j in range(i, c):
                if first[j] == first[i]:
                    best_sum = max(best_sum, mine[1, j])
                    best_meaning = max(best_meaning, meaning[places[j]])
                    best_spoken += above(mine[1, j] - SITTING_BAR)
            to[23, i] = best_sum
            to[24, i] = log1p(<double> best_spoken)
            to[25, i] = best_meaning
        for j in range(23, 26):
            high = to[j, 0]
            for i in range(1, c):
                high = max(high, to[j, i])
            for i in range(c):
                to[j, i] -= high
    return table
