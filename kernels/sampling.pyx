# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Drawing the next token from a row of logits.

Every filter (top-k, top-p, min-p) keeps the beginning of one order, likeliest first and the lower
id first among equals. So each of them comes down to the last token that it keeps, and what is left
after it are few tokens.

The floor is one reading of the row: 49,152 logits are 196 kB, about 5 us out of the cache. That one
pass finds the largest logit of every stretch of 64 or so. The k-th largest of those peaks is no
more than the k-th largest logit, so stretches that stay below it are never looked at again. The
last token of a filter is then found by the bits of its logit, eleven at a time, in time that grows
with the number of tokens and not with how they lie: no sort, no heap, no allocation.

Top-p of the whole vocabulary needs the sum of all weights. A second reading adds them up in float32
with a known error; where a sum that is wrong by that much could mean another last token, which is
seldom, the sum is made again in float64. So the answer is always that of the exact sum.
"""

from libc.math cimport NAN, ceil, exp, isinf, log
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from astraweave.errors import InputError

__all__ = ["PARAMETERS", "log_probabilities", "sample", "sample_rows"]

PARAMETERS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "uniform",
)

cdef extern from *:
    """
    #include <math.h>

    /* The largest of each `width` logits; not 0 where one of the row is NaN. Compilers may not
       reorder a maximum of floats by themselves, so the widest baseline registers stand here. */
    #if defined(__SSE2__) || defined(_M_X64)
    #include <emmintrin.h>
    static int astraweave_peaks(const float* x, int n, int width, float* peaks) {
      __m128 unordered = _mm_setzero_ps();
      int nan = 0;
      for (int at = 0; at < n; at += width) {
        const int end = n - at < width ? n : at + width;
        __m128 a = _mm_set1_ps(x[at]), b = a, c = a, d = a;
        float four[4], peak;
        int i = at;
        for (; i + 16 <= end; i += 16) {
          const __m128 p = _mm_loadu_ps(x + i), q = _mm_loadu_ps(x + i + 4);
          const __m128 r = _mm_loadu_ps(x + i + 8), s = _mm_loadu_ps(x + i + 12);
          a = _mm_max_ps(p, a), b = _mm_max_ps(q, b), c = _mm_max_ps(r, c), d = _mm_max_ps(s, d);
          unordered = _mm_or_ps(unordered, _mm_or_ps(_mm_cmpunord_ps(p, q), _mm_cmpunord_ps(r, s)));
        }
        _mm_storeu_ps(four, _mm_max_ps(_mm_max_ps(a, b), _mm_max_ps(c, d)));
        peak = four[0];
        for (int j = 1; j < 4; ++j) peak = four[j] > peak ? four[j] : peak;
        for (; i < end; ++i) {
          nan |= x[i] != x[i];
          peak = x[i] > peak ? x[i] : peak;
        }
        *peaks++ = peak;
      }
      return nan | _mm_movemask_ps(unordered);
    }

    /* exp of numbers from -80 to 0, to 3e-7 of its size: two to a whole power, times a polynomial. */
    static inline __m128 astraweave_exp4(__m128 z) {
      const __m128i whole = _mm_cvtps_epi32(_mm_mul_ps(z, _mm_set1_ps(1.44269504f)));
      const __m128 n = _mm_cvtepi32_ps(whole);
      __m128 r = _mm_sub_ps(z, _mm_mul_ps(n, _mm_set1_ps(0.693359375f)));
      __m128 e = _mm_set1_ps(1.0f / 720);
      r = _mm_sub_ps(r, _mm_mul_ps(n, _mm_set1_ps(-2.12194440e-4f)));
      e = _mm_add_ps(_mm_mul_ps(e, r), _mm_set1_ps(1.0f / 120));
      e = _mm_add_ps(_mm_mul_ps(e, r), _mm_set1_ps(1.0f / 24));
      e = _mm_add_ps(_mm_mul_ps(e, r), _mm_set1_ps(1.0f / 6));
      e = _mm_add_ps(_mm_mul_ps(e, r), _mm_set1_ps(0.5f));
      e = _mm_add_ps(_mm_mul_ps(e, r), _mm_set1_ps(1.0f));
      e = _mm_add_ps(_mm_mul_ps(e, r), _mm_set1_ps(1.0f));
      return _mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(e), _mm_slli_epi32(whole, 23)));
    }

    static double astraweave_mass(const float* x, int n, float best, float scale) {
      double mass = 0.0;
      int i = 0;
      while (n - i >= 8) {
        const int end = n - i < 64 ? n - (n - i) % 8 : i + 64;
        __m128 a = _mm_setzero_ps(), b = a;
        float four[4];
        for (; i < end; i += 8) {
          const __m128 p = _mm_sub_ps(_mm_loadu_ps(x + i), _mm_set1_ps(best));
          const __m128 q = _mm_sub_ps(_mm_loadu_ps(x + i + 4), _mm_set1_ps(best));
          const __m128 least = _mm_set1_ps(-80.0f);
          a = _mm_add_ps(a, astraweave_exp4(_mm_max_ps(_mm_mul_ps(p, _mm_set1_ps(scale)), least)));
          b = _mm_add_ps(b, astraweave_exp4(_mm_max_ps(_mm_mul_ps(q, _mm_set1_ps(scale)), least)));
        }
        _mm_storeu_ps(four, _mm_add_ps(a, b));
        mass += ((double) four[0] + four[1]) + ((double) four[2] + four[3]);
      }
      for (; i < n; ++i) mass += expf((x[i] - best) * scale);
      return mass;
    }
    #else
    static double astraweave_mass(const float* x, int n, float best, float scale) {
      double mass = 0.0;
      for (int i = 0; i < n; ++i) mass += expf((x[i] - best) * scale);
      return mass;
    }

    static int astraweave_peaks(const float* x, int n, int width, float* peaks) {
      int nan = 0;
      for (int at = 0; at < n; at += width) {
        const int end = n - at < width ? n : at + width;
        float lanes[4] = {x[at], x[at], x[at], x[at]};
        int i = at;
        for (; i + 4 <= end; i += 4) {
          for (int j = 0; j < 4; ++j) {
            nan |= x[i + j] != x[i + j];
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
          }
        }
        for (; i < end; ++i) {
          nan |= x[i] != x[i];
          lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
        }
        for (int j = 1; j < 4; ++j) lanes[0] = lanes[j] > lanes[0] ? lanes[j] : lanes[0];
        *peaks++ = lanes[0];
      }
      return nan;
    }
    #endif
    """
    int astraweave_peaks(const float* x, int n, int width, float* peaks) noexcept nogil
    # The sum of exp((x - best) * scale); see MASS_ERROR.
    double astraweave_mass(const float* x, int n, float best, float scale) noexcept nogil

# exp(-60) is 1e-26: what lies further below the likeliest token is never drawn.
cdef double FLOOR = -60.0
cdef int BROKEN = -1
cdef int NONE_ADMITTED = -2

# How far `astraweave_mass` may be from the sum, as a part of it. The exponent z is wrong by at most
# 3 * 2^-24 of its size, exp by 3e-7 of its own, and adding 16 numbers by 16 * 2^-24. Of n weights
# beside one of 1 the mean of |z| is no more than ln(n) + 1, 15 for a million: 4e-6 in all.
cdef double MASS_ERROR = 1e-5

cdef enum:
    STRETCHES = 1024
    BINS = 2048


cdef struct Row:
    const float* x
    int n
    int width  # logits in a stretch
    int stretches
    float best
    double temperature
    int* kept  # ids of what is still in the running, ascending
    int count
    float peaks[STRETCHES]


cdef struct Rule:
    double temperature
    int top_k
    double top_p
    double min_p
    double repetition_penalty
    double presence_penalty
    double frequency_penalty
    double uniform


cdef inline double weight(const Row* row, float value) noexcept nogil:
    cdef double z = (<double> value - <double> row.best) / row.temperature
    return exp(z) if z >= FLOOR else 0.0


cdef inline uint32_t order(float value) noexcept nogil:
    """A number that is larger where the logit is larger, and equal where it is equal."""
    cdef uint32_t bits
    value += <float> 0.0  # -0.0 is 0.0
    memcpy(&bits, &value, 4)
    return bits ^ (0xFFFFFFFFu if bits >> 31 else 0x80000000u)


cdef inline float logit(uint32_t key) noexcept nogil:
    cdef float value
    cdef uint32_t bits = key ^ (0x80000000u if key >> 31 else 0xFFFFFFFFu)
    memcpy(&value, &bits, 4)
    return value


cdef bint begin(Row* row) noexcept nogil:
    """Find the peaks and the best; False where a logit is NaN or none is finite."""
    cdef int i
    row.width = max(64, (row.n + STRETCHES - 1) // STRETCHES)
    row.stretches = (row.n + row.width - 1) // row.width
    if astraweave_peaks(row.x, row.n, row.width, row.peaks):
        return False
    row.best = row.peaks[0]
    for i in range(1, row.stretches):
        if row.peaks[i] > row.best:
            row.best = row.peaks[i]
    return not isinf(row.best)


cdef void keep_from(Row* row, float lowest, int last) noexcept nogil:
    """Keep what is above `lowest`, and what equals it up to the id `last`."""
    cdef int stretch, i, end, count = 0
    cdef const float* x = row.x
    for stretch in range(row.stretches):
        if row.peaks[stretch] >= lowest:
            end = min(row.n, (stretch + 1) * row.width)
            for i in range(stretch * row.width, end):
                row.kept[count] = i
                count += (x[i] > lowest) | ((x[i] == lowest) & (i <= last))
    row.count = count


cdef float descend(
    const Row* row,
    const float* x,
    const int* ids,
    int n,
    bint weighed,
    double target,
    double error,
    int* ties,
) noexcept nogil:
    """The value at which the largest of `n` values together reach `target`.

    Values count 1 each, or `weighed`. `ties` tells how many of those that equal the result are
    needed; 0 where a target that is wrong by `error` of its size could mean another result. `ids`
    says which of `x` take part; NULL: the first.
    """
    cdef double bins[BINS]
    cdef double reached = 0.0, w = 1.0
    cdef uint32_t key, found = 0, known = 0
    cdef int level, shift, size, i, at, lowest
    for level in range(3):
        shift, size = (21, 2048) if level == 0 else (10, 2048) if level == 1 else (0, 1024)
        memset(bins, 0, size * sizeof(double))
        for i in range(n):
            key = order(x[ids[i] if ids != NULL else i])
            if key & known == found:
                if weighed:
                    w = weight(row, x[ids[i] if ids != NULL else i])
                bins[(key >> shift) & (size - 1)] += w
        lowest = -1
        for at in range(size - 1, -1, -1):
            if bins[at] > 0.0:
                if lowest >= 0:
                    reached += bins[lowest]
                lowest = at
                if reached + bins[at] >= target:
                    break
        found |= <uint32_t> lowest << shift
        known |= <uint32_t> (size - 1) << shift
    if weighed:
        w = weight(row, logit(found))
    ties[0] = max(1, <int> min(ceil((target - reached) / w), <double> n))
    if error > 0.0 and (
        reached + (ties[0] - 1) * w > target * (1.0 - error)
        or reached + ties[0] * w < target * (1.0 + error)
    ):
        ties[0] = 0
    return logit(found)


cdef bint cut(Row* row, bint weighed, double target, double error) noexcept nogil:
    """Keep of the kept only the largest that are needed to reach `target`; False: not certain."""
    cdef int i, ties, count = 0
    cdef float value
    cdef float lowest = descend(row, row.x, row.kept, row.count, weighed, target, error, &ties)
    if ties == 0:
        return False
    for i in range(row.count):
        value = row.x[row.kept[i]]
        if value >= lowest:
            if value == lowest:
                if ties == 0:
                    continue
                ties -= 1
            row.kept[count] = row.kept[i]
            count += 1
    row.count = count
    return True


cdef double kept_mass(const Row* row) noexcept nogil:
    cdef int i
    cdef double mass = 0.0
    for i in range(row.count):
        mass += weight(row, row.x[row.kept[i]])
    return mass


cdef bint keep_top_p_of_all(Row* row, double top_p) noexcept nogil:
    """Keep the top-p without the exact sum of all weights; False: only that sum can tell."""
    cdef double mass, negligible
    if row.n < 1024 or 1.0 - top_p < 4 * MASS_ERROR or not 0.01 <= row.temperature <= 100.0:
        return False
    mass = astraweave_mass(row.x, row.n, row.best, <float> (1.0 / row.temperature))
    # All that weigh less do not come to half of what top-p leaves: none of them is needed.
    negligible = log(0.5 * (1.0 - top_p) * mass / row.n)
    keep_from(row, <float> (row.best + (negligible * 1.0001 - 1e-6) * row.temperature), row.n)
    return cut(row, True, top_p * mass, MASS_ERROR)


cdef int first_best(const Row* row) noexcept nogil:
    cdef int stretch = 0, i
    while row.peaks[stretch] != row.best:
        stretch += 1
    i = stretch * row.width
    while row.x[i] != row.best:
        i += 1
    return i


cdef int chosen_of(const Row* row, double min_p, double uniform) noexcept nogil:
    """The first kept token up to which the weights reach `uniform` of their sum."""
    cdef double before[STRETCHES]  # sums before each part of the kept, so that one pass is enough
    cdef int part = max(64, (row.count + STRETCHES - 1) // STRETCHES)
    cdef int i, at, chosen = BROKEN
    cdef double w, reached = 0.0, wanted
    for i in range(row.count):
        if i % part == 0:
            before[i // part] = reached
        w = weight(row, row.x[row.kept[i]])
        if w >= min_p:
            reached += w
    wanted = uniform * reached
    at = (row.count - 1) // part
    while at > 0 and before[at] > wanted:
        at -= 1
    # Where rounding leaves the sum at `wanted`, the last token of any weight is the one.
    while chosen == BROKEN and at >= 0:
        reached = before[at]
        for i in range(at * part, row.count):
            w = weight(row, row.x[row.kept[i]])
            if w >= min_p and w > 0.0:
                chosen = row.kept[i]
                reached += w
                if reached > wanted:
                    break
        at -= 1
    return chosen


cdef int draw(Row* row, const Rule* rule) noexcept nogil:
    cdef double lowest = FLOOR
    cdef int ties
    cdef bint has_top_k = 0 < rule.top_k < row.n
    if not begin(row):
        return BROKEN
    if rule.temperature == 0.0 or rule.top_k == 1:
        return first_best(row)
    row.temperature = rule.temperature
    if has_top_k and rule.top_k <= row.stretches:
        lowest = descend(row, row.peaks, NULL, row.stretches, False, rule.top_k, 0.0, &ties)
        keep_from(row, <float> lowest, row.n)
    elif has_top_k:
        keep_from(row, logit(0x007FFFFF), row.n)  # minus infinity: all of them
    elif rule.top_p < 1.0 and keep_top_p_of_all(row, rule.top_p):
        return chosen_of(row, rule.min_p, rule.uniform)
    else:
        if rule.top_p >= 1.0 and rule.min_p > 0.0:
            lowest = max(FLOOR, log(rule.min_p))
        # A little lower than needed: rounding must lose none, and `weight` decides.
        keep_from(row, <float> (row.best + (lowest * 1.0001 - 1e-6) * row.temperature), row.n)
    if has_top_k and row.count > rule.top_k:
        cut(row, False, rule.top_k, 0.0)
    if rule.top_p < 1.0:
        cut(row, True, rule.top_p * kept_mass(row), 0.0)
    return chosen_of(row, rule.min_p, rule.uniform)


cdef Py_ssize_t not_a_token(const int* seen, Py_ssize_t size, int n) noexcept nogil:
    """The first of `seen` that is none of `n` tokens; -1: all are."""
    cdef Py_ssize_t i
    for i in range(size):
        if not 0 <= seen[i] < n:
            return i
    return -1


cdef void penalise(
    float* x, const int* seen, const int* counts, Py_ssize_t size, const Rule* rule
) noexcept nogil:
    """Make what was seen less likely; `counts` (NULL: none) says how often each was made."""
    cdef Py_ssize_t i
    cdef float value
    for i in range(size):
        value = x[seen[i]]
        if value > 0:
            value = <float> (value / rule.repetition_penalty)
        else:
            value = <float> (value * rule.repetition_penalty)
        if counts != NULL and counts[i] > 0:
            value = <float> (
                value - (rule.presence_penalty + rule.frequency_penalty * counts[i])
            )
        x[seen[i]] = value


cdef bint admit(float* x, int n, const uint32_t* mask) noexcept nogil:
    """Make impossible what the bits of `mask` do not admit; False: they admit nothing."""
    cdef float impossible = logit(0x007FFFFF)  # minus infinity
    cdef uint32_t bits, any_bit = 0
    cdef int word, i, end
    for word in range((n + 31) // 32):
        end = min(32, n - word * 32)
        bits = mask[word]
        if end < 32:
            bits &= (<uint32_t> 1 << end) - 1
        any_bit |= bits
        if bits == 0:
            for i in range(end):
                x[word * 32 + i] = impossible
        elif bits != 0xFFFFFFFFu:
            for i in range(end):
                if not (bits >> i) & 1:
                    x[word * 32 + i] = impossible
    return any_bit != 0


cdef void check_scratch(Py_ssize_t n, Py_ssize_t scratch) except *:
    if n == 0 or scratch < n:
        raise InputError(
            f"{n} logits need as many places of scratch, got {scratch}", logits=n, scratch=scratch
        )


cdef void check_masks(
    Py_ssize_t rows, int n, const uint32_t[:, ::1] masks, const int[::1] mask_of
) except *:
    cdef Py_ssize_t i, count = 0 if masks is None else masks.shape[0]
    if mask_of.shape[0] != rows or (count and masks.shape[1] < (n + 31) // 32):
        raise InputError(
            f"{rows} rows of {n} logits need as many places in mask_of, and masks of "
            f"{(n + 31) // 32} words",
            rows=rows,
        )
    for i in range(rows):
        if mask_of[i] >= count:
            raise InputError(f"row {i} wants mask {mask_of[i]} of {count}", row=i)


def sample(
    float[::1] logits not None,
    const int[::1] seen not None,
    int[::1] scratch not None,
    *,
    double temperature,
    int top_k,
    double top_p,
    double min_p,
    double repetition_penalty,
    double uniform,
    const int[::1] counts=None,
    double presence_penalty=0.0,
    double frequency_penalty=0.0,
):
    cdef int chosen
    cdef Py_ssize_t size = seen.shape[0], outside
    cdef const int* made = NULL
    cdef Row row
    cdef Rule rule = Rule(
        temperature,
        top_k,
        top_p,
        min_p,
        repetition_penalty,
        presence_penalty,
        frequency_penalty,
        uniform,
    )
    check_scratch(logits.shape[0], scratch.shape[0])
    row.x, row.n, row.kept = &logits[0], <int> logits.shape[0], &scratch[0]
    if counts is not None:
        if counts.shape[0] != size:
            raise InputError(
                f"{size} seen tokens need as many counts, got {counts.shape[0]}",
                seen=size,
                counts=counts.shape[0],
            )
        made = &counts[0] if size else NULL
    if size:
        outside = not_a_token(&seen[0], size, row.n)
        if outside >= 0:
            raise InputError(
                f"token {seen[outside]} is outside the vocabulary of {row.n}",
                token=seen[outside],
                logits=row.n,
            )
    with nogil:
        if size:
            penalise(&logits[0], &seen[0], made, size, &rule)
        chosen = draw(&row, &rule)
    return chosen


def sample_rows(
    float[:, ::1] logits not None,
    const int[::1] seen not None,
    const int[::1] counts not None,
    const int[::1] offsets not None,
    const double[:, ::1] parameters not None,
    int[::1] scratch not None,
    int[::1] tokens not None,
    *,
    const uint32_t[:, ::1] masks=None,
    const int[::1] mask_of=None,
):
    cdef Py_ssize_t rows = logits.shape[0], i, outside
    cdef Row row
    cdef Rule rule
    if parameters.shape[1] != 8 or not (
        parameters.shape[0] == tokens.shape[0] == offsets.shape[0] - 1 == rows
    ):
        raise InputError(
            f"{rows} rows of logits need as many rows of 8 parameters, as many tokens, and one "
            f"offset more; got {parameters.shape[0]} x {parameters.shape[1]}, {tokens.shape[0]} "
            f"and {offsets.shape[0]}",
            rows=rows,
        )
    if rows == 0:
        return
    check_scratch(logits.shape[1], scratch.shape[0])
    for i in range(rows):
        if not 0 <= offsets[i] <= offsets[i + 1] <= min(seen.shape[0], counts.shape[0]):
            raise InputError(
                f"the offsets of row {i} go from {offsets[i]} to {offsets[i + 1]}, with "
                f"{seen.shape[0]} seen tokens and {counts.shape[0]} counts",
                row=i,
            )
        # What cannot be an int is no top-k either; NaN neither.
        if not 0.0 <= parameters[i, 1] <= 2147483647.0:
            raise InputError(f"the top-k of row {i} is {parameters[i, 1]}", row=i)
    row.n, row.kept = <int> logits.shape[1], &scratch[0]
    if mask_of is not None:
        check_masks(rows, row.n, masks, mask_of)
    if offsets[rows] > offsets[0]:
        outside = not_a_token(&seen[offsets[0]], offsets[rows] - offsets[0], row.n)
        if outside >= 0:
            outside += offsets[0]
            raise InputError(
                f"token {seen[outside]} is outside the vocabulary of {row.n}",
                token=seen[outside],
                logits=row.n,
            )
    with nogil:
        for i in range(rows):
            rule.temperature = parameters[i, 0]
            rule.top_k = <int> parameters[i, 1]
            rule.top_p = parameters[i, 2]
            rule.min_p = parameters[i, 3]
            rule.repetition_penalty = parameters[i, 4]
            rule.presence_penalty = parameters[i, 5]
            rule.frequency_penalty = parameters[i, 6]
            rule.uniform = parameters[i, 7]
            row.x = &logits[i, 0]
            if offsets[i + 1] > offsets[i]:
                penalise(
                    &logits[i, 0],
                    &seen[offsets[i]],
                    &counts[offsets[i]],
                    offsets[i + 1] - offsets[i],
                    &rule,
                )
            if mask_of is not None and mask_of[i] >= 0:
                if not admit(&logits[i, 0], row.n, &masks[mask_of[i], 0]):
                    tokens[i] = NONE_ADMITTED
                    continue
            tokens[i] = draw(&row, &rule)


def log_probabilities(
    const float[:, ::1] logits not None,
    const int[::1] tokens not None,
    double[::1] out not None,
):
    cdef Py_ssize_t rows = logits.shape[0], i, outside
    cdef Row row
    if not rows == tokens.shape[0] == out.shape[0]:
        raise InputError(
            f"{rows} rows of logits need as many tokens and results, got {tokens.shape[0]} and "
            f"{out.shape[0]}",
            rows=rows,
        )
    if rows == 0:
        return
    row.n = <int> logits.shape[1]
    outside = not_a_token(&tokens[0], rows, row.n)
    if outside >= 0:
        raise InputError(
            f"token {tokens[outside]} is outside the vocabulary of {row.n}",
            token=tokens[outside],
            logits=row.n,
        )
    with nogil:
        for i in range(rows):
            row.x = &logits[i, 0]
            if begin(&row):
                out[i] = (<double> row.x[tokens[i]] - <double> row.best) - log(
                    astraweave_mass(row.x, row.n, row.best, <float> 1.0)
                )
            else:
                out[i] = NAN
