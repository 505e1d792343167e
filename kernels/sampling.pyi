import numpy as np
from numpy.typing import NDArray

__all__ = ["sample"]

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
) -> int:
    """Draw the next token; without the GIL, and without allocating.

    Parameters
    ----------
    logits : ndarray of float32, shape (vocabulary,)
        Contiguous; the penalty is applied in place.
    seen : ndarray of int32
        Distinct tokens that the penalty is for.
    scratch : ndarray of int32, shape (vocabulary,)
        Working memory; what it holds before and after means nothing.
    temperature, top_k, top_p, min_p, repetition_penalty
        As in `SamplingParams`, already checked. Top-p is a share of what top-k keeps; what lies
        more than 60 temperatures below the likeliest is never drawn.
    uniform : float
        A number in [0, 1): equal numbers give equal tokens.

    Returns
    -------
    int
        The token, or -1 where a logit is NaN or the largest is not finite.

    Raises
    ------
    InputError
        `scratch` is too short, or `seen` holds what is no token.
    """
