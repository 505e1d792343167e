"""What a temperament does: the mood it rests in, and how strongly things move it.

The resting mood is the regression of the three mood axes on the Big Five from Mehrabian, A. (1996),
"Analysis of the Big-five personality factors in terms of the PAD temperament model", Australian
Journal of Psychology 48, 86-92 (doi 10.1080/00049539608259510), as Gebhard, P. (2005), "ALMA: a
layered model of affect", AAMAS '05, 29-36 (doi 10.1145/1082473.1082478), made it known among
programs. The paper itself was not at hand: the coefficients were compared with other programs that
cite it, and the signs with its abstract (the emotionally stable are pleasant and hard to rouse).
Some programs put neuroticism where the paper has emotional stability, which turns two signs round.
That extraverts are moved more by what is pleasant and the neurotic more by what is not: Larsen, R.
and Ketelaar, T. (1991), "Personality and susceptibility to positive and negative emotional states",
Journal of Personality and Social Psychology 61, 132-140.
"""

from __future__ import annotations

from astraweave.persona.outcomes import OutcomeRule
from astraweave.persona.state import BigFive, Mood, Relationship

__all__ = ["reaction", "resting_mood"]

_RESTING_SHARE = 0.4
"""The regression is over standard scores; at this share of it no temperament rests at an end of an
axis, and whatever happens still shows."""


def resting_mood(temperament: BigFive) -> Mood:
    """The mood that a temperament comes to rest in.

    Examples
    --------
    >>> resting_mood(BigFive())
    Mood(valence=0.0, arousal=0.0, dominance=0.0)
    >>> resting_mood(BigFive(agreeableness=1.0)).valence
    0.236
    """
    o = _signed(temperament.openness)
    c = _signed(temperament.conscientiousness)
    e = _signed(temperament.extraversion)
    a = _signed(temperament.agreeableness)
    stable = -_signed(temperament.neuroticism)
    return Mood(
        valence=_RESTING_SHARE * (0.21 * e + 0.59 * a + 0.19 * stable),
        arousal=_RESTING_SHARE * (0.15 * o + 0.30 * a - 0.57 * stable),
        dominance=_RESTING_SHARE * (0.25 * o + 0.17 * c + 0.60 * e - 0.32 * a),
    )


def reaction(
    temperament: BigFive, rule: OutcomeRule, towards: Relationship
) -> tuple[Mood, Relationship]:
    """What an outcome does to somebody of this temperament who stands so to its doer.

    The effects of `rule`, each multiplied (0.5 is like most people, and multiplies by 1):

    - what is unpleasant, rousing in an unpleasant way, or makes small: 0.5 + neuroticism;
    - what is pleasant, or rousing in a pleasant way: 0.75 + half the extraversion;
    - trust, affinity and respect that are lost: 1.5 - agreeableness;
    - trust, affinity and respect that are won by a favour, from somebody of whom the character
      thinks ill: 0.5 + agreeableness, which is to forgive;
    - fear: 0.5 + neuroticism while it grows;
    - everything about a duty: 0.75 + half the conscientiousness; about news: 0.75 + half the
      openness;
    - the mood, by somebody who is liked: 1 + half the affinity. What friends do goes deeper.
    """
    nervous = 0.5 + _share(temperament.neuroticism)
    lively = 0.75 + 0.5 * _share(temperament.extraversion)
    agreeable = _share(temperament.agreeableness)
    weight = 1.0
    if "duty" in rule.tags:
        weight *= 0.75 + 0.5 * _share(temperament.conscientiousness)
    if "news" in rule.tags:
        weight *= 0.75 + 0.5 * _share(temperament.openness)
    effect, bond = rule.mood, rule.relationship
    unpleasant = effect.valence < 0
    felt = weight * (1.0 + 0.5 * max(0.0, towards.affinity))
    mood = Mood(
        valence=effect.valence * (nervous if unpleasant else lively) * felt,
        arousal=effect.arousal
        * ((nervous if unpleasant else lively) if effect.arousal > 0 else 1.0)
        * felt,
        dominance=effect.dominance * (nervous if effect.dominance < 0 else 1.0) * felt,
    )
    favour = "favour" in rule.tags

    def bonded(by: float, now: float) -> float:
        if by < 0:
            return by * weight * (1.5 - agreeable)
        return by * weight * (0.5 + agreeable if favour and now < 0 else 1.0)

    return mood, Relationship(
        trust=bonded(bond.trust, towards.trust),
        affinity=bonded(bond.affinity, towards.affinity),
        respect=bonded(bond.respect, towards.respect),
        fear=bond.fear * weight * (nervous if bond.fear > 0 else 1.0),
    )


def _share(trait: float) -> float:
    return min(1.0, max(0.0, trait))


def _signed(trait: float) -> float:
    """From 0..1 to -1..1, around what most people are like."""
    return 2.0 * _share(trait) - 1.0
