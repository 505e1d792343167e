"""Lines made from a voice: what is said when no model speaks, and how every line opens."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence

from astraweave.dialogue.answer import Answer, spoken
from astraweave.dialogue.conditions import DAY_S, UNSURE
from astraweave.dialogue.echoes import MAX_ECHO_WORDS, echo_of, opines, passing
from astraweave.dialogue.facts import Fact
from astraweave.dialogue.grammar import Grammar, language_of
from astraweave.dialogue.language.words import sentences
from astraweave.dialogue.recent import RecentLines
from astraweave.dialogue.retell import retell
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.voice import FIELD, Variant, VoiceLibrary
from astraweave.errors import ConfigError
from astraweave.persona import Persona

__all__ = ["Composer"]

_NEUTRAL = Tone()
_LONG_AGO_S = 30 * DAY_S
_OWN_FIELDS = frozenset(["me", "role", "feeling"])
"""Fields that the composer fills by itself, whatever the choice brings."""
_RETOLD = frozenset(["retold", "short", "echo"])
"""Fields that hold others' words, and are put into the voice's own."""
_REMEMBERED = frozenset(
    "answer_short answer_plain answer_self answer_other confirmed confirmed_self denied recap"
    " greeting_recall gossip".split()
)
"""Acts that state a memory, and so say how sure and how old it is."""
_FROM_LISTENER = _REMEMBERED - {"answer_self", "answer_other", "confirmed_self", "gossip"}
"""Acts whose wording says that it was the listener who told it."""
_NAMES_TELLER = frozenset(["answer_other", "gossip"])
"""Acts whose wording names who told it: "by Robin's account" before that would say it twice."""
_ANOTHER_DAY_S = 0.6 * DAY_S
"""From then on "today" is no longer the day on which somebody said "today"."""


class Composer:
    """Picks and fills a voice's variants; the same state of `rng` gives the same line.

    Not thread-safe.

    Parameters
    ----------
    persona : Persona
        Whose voice it is; its own `lines` stand beside those of the voice.
    voices : VoiceLibrary or None
        Where `Persona.patterns` is looked up; None: the built-in voices.

    Raises
    ------
    ConfigError
        The persona names a voice that there is not.
    """

    def __init__(self, persona: Persona, voices: VoiceLibrary | None = None) -> None:
        self.voice = (voices or VoiceLibrary.builtin()).for_persona(persona)
        self.grammar = Grammar.named(self.voice.language)
        own = {kind: tuple(map(Variant, lines)) for kind, lines in persona.lines.items()}
        self._acts = {
            kind: tuple(dict.fromkeys((*own.get(kind, ()), *self.voice.acts.get(kind, ()))))
            for kind in {*self.voice.acts, *own}
        }
        self._persona = persona

    # -- one act each ---------------------------------------------------------------------------

    def answer(
        self, answer: Answer, rng: random.Random, recent: Sequence[str], tone: Tone = _NEUTRAL
    ) -> str:
        """Say what is known, or that nothing is."""
        if answer.kind == "unknown":
            kind = "unknown_self" if answer.teller == "self" else "unknown"
            return self.pick(kind, {"topic": answer.topic}, rng, recent, tone=tone)
        retold = self._retold(_closed(answer.retold[0]), answer.texts[:1], answer.teller)
        # What English rules cut out of another language is no phrase of it.
        foreign = any(language_of(text) != "en" for text in answer.texts[:1])
        short = "" if foreign else answer.short
        fields = {"retold": retold, "short": short, "teller": answer.teller}
        if answer.teller == "self":
            kind = "confirmed_self" if answer.kind == "confirmed" else "answer_self"
        elif answer.teller != "asker":
            kind = "answer_other"
        elif answer.kind in {"confirmed", "denied"}:
            kind = answer.kind
        else:
            kind = "answer_short" if short and not _echoes(short, retold) else "answer_plain"
        line = self.pick(kind, fields, rng, recent, tone=tone)
        if answer.kind == "about" and len(answer.retold) > 1 and answer.teller == "asker":
            line += self._more(_closed(answer.retold[1]), rng, recent)
        return line

    def telling(
        self,
        told: str,
        speaker: str,
        rng: random.Random,
        recent: Sequence[str],
        tone: Tone = _NEUTRAL,
    ) -> str:
        """Take note of something told, and name it where its language can be retold."""
        language = language_of(told, default=self.voice.language)
        takes = self.grammar.takes(told) if language == self.voice.language else ""
        mood = f"telling_{takes}" if takes else "telling"
        if language != "en":
            fields = self._echo_by_tables(told) if language == self.voice.language else {}
        elif self.voice.language != "en":
            fields = {}
        else:
            if not takes and passing(told):
                mood = "telling_mild"
            if opines(told):
                return self.pick("telling_opinion", {}, rng, recent, tone=tone)
            fields = echo_of(told, speaker, self._persona.id)
        if not fields and not (takes and self.covers(mood, fields)):
            return self.pick("telling_plain", {}, rng, recent, tone=tone)
        return self.pick(mood, fields, rng, recent, tone=tone)

    def recap(
        self,
        told: Sequence[Fact],
        rng: random.Random,
        recent: Sequence[str],
        tone: Tone = _NEUTRAL,
    ) -> str:
        """What is remembered of somebody, in one line."""
        retold = [
            self._retold(_closed(retell(fact, swap=True)), (fact.sentence,), "asker")
            for fact in told[:3]
        ]
        said = [text for text in retold if text]
        if not said:
            return self.pick("recap_nothing", {}, rng, recent, tone=tone)
        line = self.pick("recap", {"retold": said[0]}, rng, recent, tone=tone)
        if len(said) > 1 and said[1] != said[0]:
            line += self._more(said[1], rng, recent)
        return line

    def opener(self, rng: random.Random, recent: Sequence[str], tone: Tone = _NEUTRAL) -> str:
        """A word or two that can stand before anything."""
        lately = {line.split(".")[0] for line in recent[-6:]}
        fitting = [v for tier in self._tiers("opener", tone) for v in tier]
        options = [v.text for v in fitting if v.text.split(".")[0] not in lately]
        return rng.choice(options or [v.text for v in fitting])

    def covers(self, kind: str, fields: Mapping[str, str] | None = None) -> bool:
        """Whether the voice has lines for an act; with `fields`, one that these can fill."""
        if fields is None:
            return bool(self._acts.get(kind))
        given = _OWN_FIELDS | {name for name, text in fields.items() if text}
        return any(given.issuperset(v.fields) for v in self._acts.get(kind, ()))

    def lines(self, kind: str) -> tuple[str, ...]:
        """The variants of an act that have no places to fill."""
        return tuple(v.text for v in self._acts.get(kind, ()) if not v.fields)

    def variants(self, kind: str, tone: Tone = _NEUTRAL) -> list[str]:
        """The variants of an act that fit a tone and have no places to fill, the best fit first."""
        return [v.text for tier in self._tiers(kind, tone) for v in tier if not v.fields]

    # -- picking --------------------------------------------------------------------------------

    def pick(
        self,
        kind: str,
        fields: Mapping[str, str],
        rng: random.Random,
        recent: Sequence[str],
        *,
        spaced: bool = False,
        tone: Tone = _NEUTRAL,
    ) -> str:
        """A filled variant of this act that was not said lately, the one that fits the tone best.

        Parameters
        ----------
        kind : str
            The dialogue act (see `astraweave.dialogue.voice.ACTS`).
        fields : mapping of str to str
            What fills ``{retold}``, ``{name}``...; a variant whose fields are not all here is left.
        rng : random.Random
            Draws among equals.
        recent : sequence of str
            The character's latest lines, newest last; none of them is said again.
        spaced : bool
            The line follows another one: its first letter stays as it is written.
        tone : Tone
            Mood, relationship, certainty, age and source, by which variants are chosen.

        Raises
        ------
        ConfigError
            The voice has no lines for that act.
        """
        if not self._acts.get(kind):
            raise ConfigError(
                f"the voice {self.voice.name!r} has no lines for the act {kind!r}", kind=kind
            )
        said = RecentLines(recent)
        hedge = self._hedge(kind, fields, rng, said, tone)
        filled = {**self._given(kind, fields, rng, tone), "hedge": hedge}
        order = list(self._ordered(kind, filled, rng, said, tone))
        finish = str if spaced else spoken
        for variant in order:
            line = finish(self._fill(variant.text, filled))
            if not said.holds(line):
                return line
        # Everything was said lately: a few words more, or in front, make it another line.
        lines = [spoken(self._fill(v.text, filled)) for v in order]
        for extended in self._extended(lines, rng, tone):
            if not said.holds(extended):
                return extended
        return lines[0]

    def _ordered(
        self,
        kind: str,
        fields: Mapping[str, str],
        rng: random.Random,
        said: RecentLines,
        tone: Tone,
    ) -> Iterator[Variant]:
        """Variants that can be filled: the best fit first, then what was said longest ago."""
        found = False
        tiers = [
            [v for v in tier if all(fields.get(f) for f in v.fields)]
            for tier in self._tiers(kind, tone)
        ]
        if fields["hedge"]:
            elsewhere = bool(tone.source) and kind in _FROM_LISTENER
            able = [
                [v for v in t if (v.condition.concerns("hearsay") if elsewhere else v.hedges)]
                for t in tiers
            ]
            if not any(able) and fields.get("retold"):
                short = "{Short}. " if kind == "answer_short" and fields.get("short") else ""
                able = [[Variant(short + "{Hedge} {retold}.")]]
            tiers = able if any(able) else tiers
        for tier in tiers:
            order = rng.sample(tier, len(tier))
            # How long it was is worth more than being said long ago.
            order.sort(key=lambda v: ("gap" not in v.fields, said.last(v.text)))
            found = found or bool(order)
            yield from order
        if not found:
            yield from (v for tier in self._tiers(kind, tone) for v in tier)

    def _tiers(self, kind: str, tone: Tone) -> list[list[Variant]]:
        """Variants whose condition holds, the most specific ones first."""
        by_rank: dict[tuple[int, int], list[Variant]] = {}
        for variant in self._acts.get(kind, ()):
            if variant.condition.holds(tone):
                by_rank.setdefault(variant.condition.rank, []).append(variant)
        # Where a voice speaks of a case only, its other lines are better than none.
        if not by_rank:
            return [list(self._acts.get(kind, ()))]
        return [by_rank[rank] for rank in sorted(by_rank, reverse=True)]

    def _hedge(
        self,
        kind: str,
        fields: Mapping[str, str],
        rng: random.Random,
        said: RecentLines,
        tone: Tone,
    ) -> str:
        """Words in front of a memory that is uncertain, long past, or another's; mostly none."""
        if kind not in _REMEMBERED or kind in _NAMES_TELLER:
            return ""
        wanted = "hedge" if tone.certainty < UNSURE or tone.source else ""
        if not wanted and tone.age_s >= _LONG_AGO_S:
            wanted = "long_ago"
        given = {"teller": tone.source or fields.get("teller", "")}
        for tier in self._tiers(wanted, tone) if wanted else ():
            usable = [v for v in tier if all(given.get(f) for f in v.fields)]
            if usable:
                order = rng.sample(usable, len(usable))
                return self._fill(min(order, key=lambda v: said.last(v.text)).text, given)
        return ""

    def _given(
        self, kind: str, fields: Mapping[str, str], rng: random.Random, tone: Tone
    ) -> dict[str, str]:
        """The fields in the voice's own words, and those that the composer itself knows."""
        later = kind in _FROM_LISTENER and tone.age_s >= _ANOTHER_DAY_S
        if later and fields.get("short") and fields["short"] not in fields.get("retold", ""):
            later = False  # "yesterday", as the answer to when it was told, is as of now
        given = {
            name: self._voiced(self.grammar.later(text) if later else text)
            if name in _RETOLD
            else text
            for name, text in fields.items()
        }
        given.setdefault("me", self._persona.name)
        given.setdefault("role", self._persona.role)
        given.setdefault("time", self.grammar.ago(tone.age_s) if tone.age_s else "")
        given.setdefault("feeling", self.grammar.feeling(tone))
        if tone.source:
            given["teller"] = tone.source
        addresses = [v for v in self.voice.address if v.condition.holds(tone)]
        if addresses and "address" not in given:
            top = max(v.condition.rank for v in addresses)
            given["address"] = rng.choice([v.text for v in addresses if v.condition.rank == top])
        return given

    def _voiced(self, text: str) -> str:
        """Others' words as this voice says them: contractions, and words of its own."""
        if not text or text.startswith(self.grammar.quotes[0]):
            return text
        if self.voice.style.contractions == "use":
            text = self.grammar.contracted(text)
        elif self.voice.style.contractions == "expand":
            text = self.grammar.expanded(text)
        if not self.voice.words:
            return text
        table = self.voice.words

        def own(match: re.Match[str]) -> str:
            word = match[0]
            if word in table or match.start() or word[:1].islower():
                return table.get(word, word)
            return spoken(table.get(word[:1].lower() + word[1:], word))

        return re.sub(r"[^\W\d_]+(?:'[^\W\d_]+)*", own, text)

    def _fill(self, pattern: str, fields: Mapping[str, str]) -> str:
        """The pattern with its fields, articles and capitals set right where they meet."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            text = fields.get(name.lower(), "")
            return spoken(text) if name[:1].isupper() else text

        line = FIELD.sub(value, pattern)
        if "{hedge}" in pattern.lower():
            line = re.sub(r"  +", " ", line).strip(" ")
            if not fields.get("hedge"):
                # What followed the hedge now begins the sentence, where the hedge would have.
                for match in re.finditer(r"\{Hedge\} ?", pattern):
                    before = FIELD.sub(value, pattern[: match.start()])
                    at = len(re.sub(r"  +", " ", before).lstrip(" "))
                    line = line[:at] + line[at : at + 1].upper() + line[at + 1 :]
        return self.grammar.with_articles(line) if "a {" in pattern.lower() else line

    def _extended(self, lines: Sequence[str], rng: random.Random, tone: Tone) -> Iterator[str]:
        """Lines with something small behind or before them."""
        tails = [v.text for tier in self._tiers("tail", tone) for v in tier if not v.fields]
        openers = [v.text for tier in self._tiers("opener", tone) for v in tier if not v.fields]
        for line in lines:
            for tail in rng.sample(tails, len(tails)):
                yield f"{line} {tail}"
        for line in lines:
            for opener in rng.sample(openers, len(openers)):
                if not line.startswith(opener.rstrip(".!?")):
                    yield f"{opener} {line}"

    def _more(self, retold: str, rng: random.Random, recent: Sequence[str]) -> str:
        line = self.pick("about_more", {"retold": retold}, rng, recent, spaced=True)
        return line if line[:1].isspace() else f" {line}"

    def _retold(self, retold: str, texts: Sequence[str], teller: str) -> str:
        """What was told, by the tables of the voice's own language where the rules read none."""
        if self.voice.language == "en" or not texts or not self.grammar.retells:
            return retold
        if language_of(texts[0]) != self.voice.language:
            return retold
        if teller != "asker":
            return _closed(texts[0])
        return self._echo_by_tables(texts[0]).get("retold", retold)

    def _echo_by_tables(self, told: str) -> dict[str, str]:
        """`echo_of` for a language that has tables and no parser; what is long is not retold."""
        said = sentences(told)
        if not self.grammar.retells or len(said) != 1 or told.rstrip().endswith("?"):
            return {}
        retold = _closed(self.grammar.shifted(said[0]))
        return {"retold": retold} if len(retold.split()) <= MAX_ECHO_WORDS else {}


def _closed(text: str) -> str:
    return text.strip().rstrip(".!?,;: ")


def _echoes(short: str, retold: str) -> bool:
    """Whether the short form says nearly all that the whole says."""
    said = re.findall(r"[\w'-]+", retold.lower())
    return len(short.split()) >= len(said) - 1 and any(
        word in said for word in short.lower().split()
    )
