# cython: boundscheck=False, wraparound=False, freethreading_compatible=True
"""Ragged rows of token ids made into the rectangles that models want.

The floor is what is written: three numbers of eight bytes for each place, 64 kB for 32 rows of 84
places, about 2 us; reading an id out of a Python list costs another 2 ns.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBuffer_Release, PyObject_GetBuffer
from cpython.long cimport PyLong_AsLongLong
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

cimport cython

import numpy as np

from astraweave.errors import InputError

__all__ = ["collate", "common_length", "group_by_length"]


cdef int64_t as_id(object value) except? -1:
    cdef int64_t number
    try:
        number = PyLong_AsLongLong(value)
    except (TypeError, OverflowError) as error:
        raise InputError(f"a token id must be a whole number, not {value!r}") from error
    return number


@cython.boundscheck(True)
cdef int read_list(list row, int64_t* to, Py_ssize_t n) except -1:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = as_id(row[i])
    return 0


@cython.boundscheck(True)
cdef int read_tuple(tuple row, int64_t* to, Py_ssize_t n) except -1:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = as_id(row[i])
    return 0


cdef int open_array(object row, Py_buffer* view) except -1:
    """A contiguous array of one dimension of int32 or int64; the caller lets go of it."""
    cdef bint fits
    try:
        PyObject_GetBuffer(row, view, PyBUF_ND | PyBUF_FORMAT)
    except (TypeError, BufferError, ValueError) as error:
        raise InputError(
            f"rows of token ids must be lists, tuples or contiguous arrays of int32 or int64, not "
            f"{type(row).__name__}"
        ) from error
    fits = view.ndim == 1 and view.format[0] in b"ilq" and view.format[1] == 0
    if not fits or view.itemsize not in (4, 8):
        PyBuffer_Release(view)
        raise InputError(
            "arrays of token ids must have one dimension and the type int32 or int64"
        )
    return 0


cdef void copy_ids(const Py_buffer* view, Py_ssize_t start, Py_ssize_t n, int64_t* to) noexcept:
    cdef const int32_t* short_ids
    cdef Py_ssize_t i
    if view.itemsize == 8:
        memcpy(to, <const int64_t*> view.buf + start, n * 8)
    else:
        short_ids = <const int32_t*> view.buf + start
        for i in range(n):
            to[i] = short_ids[i]


cdef int read_row(object row, int64_t* to, Py_ssize_t n) except -1:
    cdef Py_buffer view
    if type(row) is list:
        return read_list(<list> row, to, n)
    if type(row) is tuple:
        return read_tuple(<tuple> row, to, n)
    open_array(row, &view)
    try:
        if view.shape[0] != n:
            raise InputError("a row of token ids changed while it was read")
        copy_ids(&view, 0, n, to)
    finally:
        PyBuffer_Release(&view)
    return 0


cdef void frame(
    int64_t* ids, int64_t* mask, int64_t* positions,
    Py_ssize_t first, Py_ssize_t n, Py_ssize_t width, int64_t pad_id, int64_t start,
) noexcept nogil:
    """Everything of a row but its ids, which lie at `first`."""
    cdef Py_ssize_t i
    for i in range(first):
        ids[i] = pad_id
    for i in range(first + n, width):
        ids[i] = pad_id
    for i in range(width):
        mask[i] = first <= i < first + n
    for i in range(first):
        positions[i] = 0
    for i in range(n):
        positions[first + i] = start + i
    for i in range(first + n, width):
        positions[i] = 0


cdef list lengths_of(object rows, const int64_t[::1] offsets, Py_ssize_t available):
    cdef list lengths
    cdef Py_ssize_t i
    if offsets is None:
        return [len(row) for row in rows]
    if offsets.shape[0] == 0:
        raise InputError("the offsets of ragged rows begin with 0, also where there is no row")
    lengths = []
    for i in range(offsets.shape[0] - 1):
        if not 0 <= offsets[i] <= offsets[i + 1] <= available:
            raise InputError(
                f"the offsets of row {i} go from {offsets[i]} to {offsets[i + 1]}, with "
                f"{available} ids",
                row=i,
            )
        lengths.append(offsets[i + 1] - offsets[i])
    return lengths


def collate(
    rows,
    const int64_t[::1] offsets=None,
    *,
    int64_t pad_id=0,
    bint left=False,
    const int64_t[::1] starts=None,
    out=None,
):
    cdef Py_buffer flat
    cdef Py_ssize_t i, n, first, count, width = 1, available = 0
    cdef int64_t[::1] memory
    cdef int64_t* to
    cdef bint is_flat = offsets is not None
    cdef list lengths
    if is_flat:
        open_array(rows, &flat)
        available = flat.shape[0]
    try:
        lengths = lengths_of(rows, offsets, available)
        count = len(lengths)
        for i in range(count):
            width = max(width, <Py_ssize_t> lengths[i])
        if starts is not None and starts.shape[0] != count:
            raise InputError(
                f"{count} rows need as many starts, got {starts.shape[0]}", rows=count
            )
        if out is None:
            out = np.empty(3 * count * width, np.int64)
        memory = out
        if memory.shape[0] < 3 * count * width:
            raise InputError(
                f"{count} rows of {width} places need room for {3 * count * width} numbers, got "
                f"{memory.shape[0]}",
                needed=3 * count * width,
                room=memory.shape[0],
            )
        for i in range(count):
            n = lengths[i]
            first = width - n if left else 0
            to = &memory[i * width]
            if is_flat:
                copy_ids(&flat, offsets[i], n, to + first)
            else:
                read_row(rows[i], to + first, n)
            frame(
                to, to + count * width, to + 2 * count * width, first, n, width, pad_id,
                starts[i] if starts is not None else 0,
            )
    finally:
        if is_flat:
            PyBuffer_Release(&flat)
    ids, mask, positions = out[: 3 * count * width].reshape(3, count, width)
    return ids, mask, positions


def group_by_length(lengths, *, Py_ssize_t max_rows, Py_ssize_t max_tokens):
    cdef list sizes = list(lengths), order, groups = [], group = []
    cdef Py_ssize_t size
    if max_rows < 1:
        raise InputError(f"a group needs room for at least one row, not {max_rows}")
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    for row in order:
        size = sizes[row]
        # The row that comes is the longest so far: all of the group would be padded to it.
        if group and (len(group) == max_rows or (len(group) + 1) * size > max_tokens):
            groups.append(group)
            group = []
        group.append(row)
    if group:
        groups.append(group)
    return groups


@cython.boundscheck(True)
def common_length(a, b):
    cdef list left = a if type(a) is list else list(a)
    cdef list right
    cdef tuple fixed
    cdef Py_ssize_t i, n = min(len(left), len(b))
    if type(b) is tuple:
        fixed = <tuple> b
        for i in range(n):
            if left[i] is not fixed[i] and as_id(left[i]) != as_id(fixed[i]):
                return i
        return n
    right = b if type(b) is list else list(b)
    for i in range(n):
        if left[i] is not right[i] and as_id(left[i]) != as_id(right[i]):
            return i
    return n
