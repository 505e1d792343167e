import numpy as np
from numpy.typing import NDArray

__all__ = ["PARAMETERS", "log_probabilities", "sample", "sample_rows"]

PARAMETERS: tuple[str, ...]
"""The columns of `sample_rows`' parameters, in their order."""

def sample(
    logits: NDArray[np.float32],
    seen: NDArray[np.int32],
    scratch: NDArray[np.int32],
    *,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    repetition_penalty: float,
    uniform: float,
    counts: NDArray[np.int32] | None = None,
    presence_penalty: float = 0.0,
    frequency_penalty: float = 0.0,
) -> int:
    """Draw the next token; without the GIL, and without allocating.

    Parameters
    ----------
    logits : ndarray of float32, shape (vocabulary,)
        Contiguous; the penalties are applied in place.
    seen : ndarray of int32
        Distinct tokens that the penalties are for.
    scratch : ndarray of int32, shape (vocabulary,)
        Working memory; what it holds before and after means nothing.
    temperature, top_k, top_p, min_p, repetition_penalty
        As in `SamplingParams`, already checked. Top-p is a share of what top-k keeps, added up in
        float64: a share that is nearer than about 1e-13 to what some tokens have may keep one more
        or fewer. What lies more than 60 temperatures below the likeliest is never drawn.
    uniform : float
        A number in [0, 1): equal numbers give equal tokens.
    counts : ndarray of int32, shape of `seen`, optional
        How often each of `seen` was made already; 0 where it only stands in the prompt.
    presence_penalty, frequency_penalty : float
        Taken from the logit of what has a count: the first once, the second for each of the count.
        After the repetition penalty.

    Returns
    -------
    int
        The token, or -1 where a logit is NaN or the largest is not finite.

    Raises
    ------
    InputError
        `scratch` is too short, `counts` has another length than `seen`, or `seen` holds what is no
        token; the logits are as they were.
    """

def sample_rows(
    logits: NDArray[np.float32],
    seen: NDArray[np.int32],
    counts: NDArray[np.int32],
    offsets: NDArray[np.int32],
    parameters: NDArray[np.float64],
    scratch: NDArray[np.int32],
    tokens: NDArray[np.int32],
    *,
    masks: NDArray[np.uint32] | None = None,
    mask_of: NDArray[np.int32] | None = None,
) -> None:
    """Draw the next token of every row, each by its own parameters; as `sample` for each.

    Parameters
    ----------
    logits : ndarray of float32, shape (rows, vocabulary)
        Contiguous; the penalties are applied in place.
    seen, counts : ndarray of int32
        The rows' seen tokens and their counts, one row after the other.
    offsets : ndarray of int32, shape (rows + 1,)
        Where each row's part of `seen` begins, and at last where the last one ends.
    parameters : ndarray of float64, shape (rows, 8)
        A column for each of `PARAMETERS`.
    scratch : ndarray of int32, shape (vocabulary,)
        Working memory for all rows.
    tokens : ndarray of int32, shape (rows,)
        The result: a token a row, -1 as in `sample`, or -2 where a row's mask admits nothing.
    masks : ndarray of uint32, shape (masks, at least vocabulary / 32), optional
        What may be drawn at all: token t where bit ``t % 32`` of word ``t // 32`` is set. What may
        not gets the logit minus infinity.
    mask_of : ndarray of int32, shape (rows,), optional
        Which of `masks` holds for a row; negative: none.

    Raises
    ------
    InputError
        The shapes do not belong together, an offset, a mask or a token is out of range, a top-k is
        no number of tokens; nothing was changed.
    """

def log_probabilities(
    logits: NDArray[np.float32], tokens: NDArray[np.int32], out: NDArray[np.float64]
) -> None:
    """Natural logarithm of the probability of one token a row.

    The largest logit is taken off before anything is raised, so nothing overflows; the sum is made
    in float32 with an error below 1e-5 of it, which is the error of the logarithm. What lies more
    than 80 below the likeliest token adds as if it were 80 below.

    Parameters
    ----------
    logits : ndarray of float32, shape (rows, vocabulary)
        Contiguous; not changed.
    tokens : ndarray of int32, shape (rows,)
        Whose probability is asked.
    out : ndarray of float64, shape (rows,)
        The result; NaN where a logit is NaN or the largest is not finite.

    Raises
    ------
    InputError
        The shapes do not belong together, or a token is none; nothing was changed.
    """
