# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Drawing the next token from a row of logits.

Every filter (top-k, top-p, min-p) keeps the beginning of one order, likeliest first and the lower
id first among equals. So all of them together come down to one last token that is kept, and the
draw itself is one pass over the vocabulary in the order of ids: no full sort, no allocation.
"""

from libc.math cimport exp, isinf

from astraweave.errors import InputError

__all__ = ["sample"]

# exp(-60) is 1e-26: what lies further below the likeliest token is never drawn.
cdef double FLOOR = -60.0
cdef int BROKEN = -1


cdef inline bint better(const float* x, int a, int b) noexcept nogil:
    return x[a] > x[b] or (x[a] == x[b] and a < b)


cdef inline double weight(float value, float best, double temperature) noexcept nogil:
    cdef double z = (<double> value - <double> best) / temperature
    return exp(z) if z >= FLOOR else 0.0


cdef void sift(const float* x, int* heap, int n, int at, bint best_first) noexcept nogil:
    """Restore a heap below `at`; its root is the best, or the worst, of all."""
    cdef int child, moving = heap[at]
    while True:
        child = 2 * at + 1
        if child >= n:
            break
        if child + 1 < n and better(x, heap[child + 1], heap[child]) == best_first:
            child += 1
        if better(x, heap[child], moving) != best_first:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = moving


cdef int likeliest(const float* x, int n) noexcept nogil:
    """The index of the largest logit, or BROKEN where one is NaN or none is finite."""
    cdef int i, best = 0
    cdef int nans = 0
    for i in range(n):
        nans += x[i] != x[i]
    if nans:
        return BROKEN
    for i in range(1, n):
        if x[i] > x[best]:
            best = i
    return BROKEN if isinf(x[best]) else best


cdef int keep_top_k(const float* x, int n, int* heap, int k) noexcept nogil:
    """Put the k likeliest into `heap`; its root is the least likely of them."""
    cdef int i
    for i in range(k):
        heap[i] = i
    for i in range(k // 2 - 1, -1, -1):
        sift(x, heap, k, i, False)
    for i in range(k, n):
        if x[i] > x[heap[0]]:
            heap[0] = i
            sift(x, heap, k, 0, False)
    return heap[0]


cdef int keep_top_p(
    const float* x, int n, int* heap, int last, float best, double temperature, double top_p
) noexcept nogil:
    """The last token that is needed to reach `top_p` of what is kept up to `last`."""
    cdef int i, kept = 0
    cdef double total = 0.0, reached = 0.0, negligible
    for i in range(n):
        if last < 0 or not better(x, last, i):
            total += weight(x[i], best, temperature)
    # All tokens below this weight together do not reach 1 - top_p: none of them is needed.
    negligible = 0.5 * (1.0 - top_p) * total / n
    for i in range(n):
        if last < 0 or not better(x, last, i):
            if weight(x[i], best, temperature) >= negligible:
                heap[kept] = i
                kept += 1
    for i in range(kept // 2 - 1, -1, -1):
        sift(x, heap, kept, i, True)
    while True:
        last = heap[0]
        reached += weight(x[last], best, temperature)
        kept -= 1
        if reached >= top_p * total or kept == 0:
            return last
        heap[0] = heap[kept]
        sift(x, heap, kept, 0, True)


cdef int draw(
    const float* x,
    int n,
    int* heap,
    double temperature,
    int top_k,
    double top_p,
    double min_p,
    double uniform,
) noexcept nogil:
    cdef int i, last = -1, chosen
    cdef float best
    cdef double total = 0.0, reached = 0.0, w
    chosen = likeliest(x, n)
    if chosen == BROKEN or temperature == 0.0 or top_k == 1:
        return chosen
    best = x[chosen]
    if 0 < top_k < n:
        last = keep_top_k(x, n, heap, top_k)
    if top_p < 1.0:
        last = keep_top_p(x, n, heap, last, best, temperature, top_p)
    for i in range(n):
        if last < 0 or not better(x, last, i):
            w = weight(x[i], best, temperature)
            if w >= min_p:
                total += w
    for i in range(n):
        if last < 0 or not better(x, last, i):
            w = weight(x[i], best, temperature)
            if w >= min_p and w > 0.0:
                reached += w
                chosen = i
                if reached > uniform * total:
                    break
    return chosen


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
):
    cdef Py_ssize_t i, outside = -1
    cdef int token, chosen = BROKEN
    cdef int n = <int> logits.shape[0]
    if n == 0 or scratch.shape[0] < n:
        raise InputError(
            f"{n} logits need as many places of scratch, got {scratch.shape[0]}",
            logits=n,
            scratch=scratch.shape[0],
        )
    with nogil:
        for i in range(seen.shape[0]):
            token = seen[i]
            if token < 0 or token >= n:
                outside = i
                break
            if logits[token] > 0:
                logits[token] = <float> (logits[token] / repetition_penalty)
            else:
                logits[token] = <float> (logits[token] * repetition_penalty)
        else:
            chosen = draw(&logits[0], n, &scratch[0], temperature, top_k, top_p, min_p, uniform)
    if outside >= 0:
        token = seen[outside]
        raise InputError(f"token {token} is outside the vocabulary of {n}", token=token, logits=n)
    return chosen
