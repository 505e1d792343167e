# cython: wraparound=False, freethreading_compatible=True
"""Rendering what most prompts are made of: text, values, lists, simple conditions and loops.

A program is a tuple of steps. It answers only where it is certain to write what the template engine
would write; for anything else (a value of another kind, a missing one, a long loop) it gives up,
and the engine renders the whole, or says what is wrong. It reads nothing but the exact built-in
types, so no value's own code ever runs.
"""

from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.unicode cimport PyUnicode_CheckExact

cimport cython

__all__ = ["Step", "are_plain", "render"]

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object, int* overflow) except? -1

cdef enum:
    MAX_STEPS = 8_000  # of which each costs the engine 1 to 6 of its 50,000 units of fuel
    MAX_DEPTH = 8

cdef enum Kind:
    TEXT
    VALUE
    INDEX
    JOIN
    WHEN
    EACH

cdef dict KINDS = {
    "text": TEXT, "value": VALUE, "index": INDEX, "join": JOIN, "when": WHEN, "each": EACH
}
cdef tuple COMPARISONS = ("", "<", "<=", ">", ">=", "==", "!=")


@cython.final
cdef class Step:
    cdef Kind kind
    cdef str text
    cdef int depth
    cdef str separator
    cdef int comparison
    cdef double number
    cdef bint negated
    cdef tuple body
    cdef tuple otherwise

    def __init__(
        self,
        str kind not None,
        str text not None="",
        *,
        int depth=-1,
        str separator not None="",
        str comparison not None="",
        double number=0.0,
        bint negated=False,
        tuple body not None=(),
        tuple otherwise not None=(),
    ):
        known = kind in KINDS and comparison in COMPARISONS and -1 <= depth < MAX_DEPTH
        if not known or (depth < 0 and kind in ("index", "each")):
            raise ValueError(f"there is no such step: {kind} {comparison} {depth}")
        if any(type(step) is not Step for step in body + otherwise):
            raise ValueError("a body is made of steps")
        self.kind = KINDS[kind]
        self.text = text
        self.depth = depth
        self.separator = separator
        self.comparison = COMPARISONS.index(comparison)
        self.number = number
        self.negated = negated
        self.body = body
        self.otherwise = otherwise


@cython.final
cdef class _Run:
    cdef dict values
    cdef list out
    cdef list items  # of the loops around, outermost first
    cdef Py_ssize_t[MAX_DEPTH] places
    cdef int steps


cdef str as_text(object value):
    """What the engine writes for a value; None where that is not certain."""
    cdef double number
    cdef int overflow = 0
    if PyUnicode_CheckExact(value):
        return <str> value
    if PyLong_CheckExact(value):
        PyLong_AsLongLongAndOverflow(value, &overflow)
        return None if overflow else str(value)
    if PyFloat_CheckExact(value):
        # Outside of these bounds Python turns to exponents, and the engine does not.
        number = PyFloat_AS_DOUBLE(value)
        if 1e-4 <= number < 1e16 or -1e16 < number <= -1e-4:
            return repr(value)
    return None


cdef int is_true(object value) except -2:
    """Whether a value counts as true; -1 where that is not certain."""
    if PyUnicode_CheckExact(value):
        return len(<str> value) > 0
    if type(value) is list:
        return len(<list> value) > 0
    if type(value) is dict:
        return len(<dict> value) > 0
    if value is True:
        return 1
    if value is False or value is None:
        return 0
    if PyLong_CheckExact(value) or PyFloat_CheckExact(value):
        return value != 0
    return -1


cdef int compares(object value, int comparison, double number) except -2:
    """Whether a number compares so to another; -1 where that is not certain."""
    cdef double own
    cdef int overflow = 0
    if PyFloat_CheckExact(value):
        own = PyFloat_AS_DOUBLE(value)
    elif PyLong_CheckExact(value):
        own = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow or not -1e15 < own < 1e15:
            return -1
    else:
        return -1
    if own != own:
        return -1
    if comparison == 1:
        return own < number
    if comparison == 2:
        return own <= number
    if comparison == 3:
        return own > number
    if comparison == 4:
        return own >= number
    return (own == number) == (comparison == 5)


cdef bint write_joined(_Run run, list values, str separator) except -1:
    cdef Py_ssize_t i = 0
    cdef str piece
    while i < len(values):
        piece = as_text(values[i])
        if piece is None:
            return False
        if i and separator:
            run.out.append(separator)
        run.out.append(piece)
        i += 1
    run.steps += i
    return True


cdef bint write_each(_Run run, Step step, object value) except -1:
    cdef Py_ssize_t i = 0
    cdef list values
    if type(value) is not list:
        return False
    values = <list> value
    if not values:
        return write(run, step.otherwise)
    while i < len(values):
        run.items[step.depth] = values[i]
        run.places[step.depth] = i + 1
        run.steps += 1
        if run.steps > MAX_STEPS or not write(run, step.body):
            return False
        i += 1
    return True


cdef bint write(_Run run, tuple steps) except -1:
    """Append the text of some steps; False: give up."""
    cdef Step step
    cdef object value = None
    cdef str piece
    cdef int met
    for entry in steps:
        step = <Step?> entry
        run.steps += 1
        if run.steps > MAX_STEPS:
            return False
        if step.kind == TEXT:
            run.out.append(step.text)
            continue
        if step.kind == INDEX:
            run.out.append(str(run.places[step.depth]))
            continue
        if step.kind == EACH or step.depth < 0:
            value = run.values.get(step.text, MISSING)
            if value is MISSING:
                return False
        else:
            value = run.items[step.depth]
        if step.kind == VALUE:
            piece = as_text(value)
            if piece is None:
                return False
            run.out.append(piece)
        elif step.kind == JOIN:
            if type(value) is not list or not write_joined(run, <list> value, step.separator):
                return False
        elif step.kind == EACH:
            if not write_each(run, step, value):
                return False
        else:
            if step.comparison:
                met = compares(value, step.comparison, step.number)
            else:
                met = is_true(value)
            if met < 0:
                return False
            if not write(run, step.body if met != step.negated else step.otherwise):
                return False
    return True


cdef object MISSING = object()


def render(tuple program not None, dict values not None):
    cdef _Run run = _Run.__new__(_Run)
    cdef str text
    run.values = values
    run.out = []
    run.items = [None] * MAX_DEPTH
    if not write(run, program):
        return None
    text = "".join(run.out)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half a character
            return None
    return text


cdef inline bint is_atom(object value) noexcept:
    return (
        PyUnicode_CheckExact(value)
        or PyLong_CheckExact(value)
        or PyFloat_CheckExact(value)
        or value is True
        or value is False
        or value is None
    )


def are_plain(dict values not None):
    cdef Py_ssize_t i
    cdef list items
    for value in values.values():
        if is_atom(value):
            continue
        if type(value) is not list:
            return False
        items = <list> value
        i = 0
        while i < len(items):
            if not is_atom(items[i]):
                return False
            i += 1
    return True
