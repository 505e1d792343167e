"""Events told in the third person, said by somebody who was in them: "you returned my hammer".

No parser is needed: a mention's place tells its case (before a finite verb: subject; before "'s":
possessive), its verbs are followed through "and", and pronouns go with the subject, or with the
other person where they cannot. What fits no rule stays as it is written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from astraweave.dialogue.event_cases import told_by_cases
from astraweave.dialogue.event_words import varied, words_of
from astraweave.dialogue.grammar import Grammar
from astraweave.dialogue.language.lexicon import lexicon

__all__ = ["retell_event"]

_QUOTE = r"[\"“„«][^\"”“»]*[\"”“»]"
_TOKEN = re.compile(rf"{_QUOTE}|[^\W\d_]+(?:n['’]t)\b|[^\W\d_]+(?:-[^\W\d_]+)*|['’]s\b|\d+|[^\w\s]")


@dataclass(slots=True)
class _Token:
    """A word, a mark, a quotation, or a mention of somebody."""

    text: str
    start: int
    end: int
    who: str = ""
    said: str | None = None

    @property
    def low(self) -> str:
        return self.text.casefold().replace("’", "'")

    @property
    def is_word(self) -> bool:
        return self.text[:1].isalpha() and not self.who


def retell_event(
    text: str,
    *,
    speaker: str,
    listener: str,
    names: Mapping[str, str],
    language: str = "en",
    rng: random.Random | None = None,
) -> str:
    """An event as one of those in it tells it to another; no capital in front, no full stop behind.

    Parameters
    ----------
    text : str
        The event in the third person, with names, ids or "the player" in it.
    speaker, listener : str
        Ids of who speaks and who listens.
    names : mapping of str to str
        Ids to the names by which the speaker knows them; a player without one is "the traveller".
    language : str
        The language of `text`; one without rules for events gives the text back unchanged.

    rng : random.Random or None
        Draws among other words for the same: "you brought my hammer back". None: none are used.

    Returns
    -------
    str
        Persons, possessives, reflexives and verbs in the right form; tense and quotations stay.

    Examples
    --------
    >>> names = {"tam": "Tam", "mira": "Mira"}
    >>> event = "The player returned Tam's hammer."
    >>> retell_event(event, speaker="tam", listener="player", names=names)
    'you returned my hammer'
    >>> retell_event(event, speaker="mira", listener="tam", names=names)
    'the traveller returned your hammer'
    """
    grammar = Grammar.named(language)
    body = text.strip()
    if grammar.events.get("reading") == "cases":
        told = told_by_cases(body.rstrip(".!"), grammar, speaker, listener, names)
        return varied(told, grammar.tag, rng)
    if "first_verbs" not in grammar.events:
        return body.rstrip(".!")
    if not body.endswith(('"', "”", "»")):
        body = body.rstrip(".!")
    told = _Event(body, speaker, listener, names, grammar).told()
    return varied(told, grammar.tag, rng)


class _Event:
    """One telling: tokens are read left to right, and each is said in its place."""

    def __init__(
        self,
        text: str,
        speaker: str,
        listener: str,
        names: Mapping[str, str],
        grammar: Grammar,
    ) -> None:
        rules = grammar.events
        self._text, self._rules, self._words = text, rules, words_of(grammar.tag)
        self._speaker, self._listener = speaker, listener
        self._strangers: Sequence[str] = tuple(rules.get("strangers", ()))
        self._names = names
        self._tokens = self._read()
        self._subject = ""
        """Id of the running clause's subject; "?" somebody else; empty before there is one."""
        self._agreed = ""
        """Id with which verbs in the running clause agree."""
        self._seen: list[str] = []

    # -- reading ----------------------------------------------------------------------------------

    def _aliases(self) -> dict[str, str]:
        """Lower-case names and ids to ids."""
        found = {alias.casefold(): "player" for alias in self._strangers}
        for key in {*self._names, self._speaker, self._listener}:
            if key and len(key) > 1:
                found[key.casefold()] = key
        for key, name in self._names.items():
            if name:
                found[name.casefold()] = key
        return found

    def _read(self) -> list[_Token]:
        aliases = self._aliases()
        choices = "|".join(re.escape(a) for a in sorted(aliases, key=len, reverse=True))
        mention = re.compile(rf"(?<![\w])(?:{choices})(?![\w])", re.IGNORECASE)
        tokens: list[_Token] = []
        at = 0
        while at < len(self._text):
            if self._text[at].isspace():
                at += 1
            elif found := mention.match(self._text, at):
                who = aliases[found[0].casefold()]
                tokens.append(_Token(found[0], at, found.end(), who))
                at = found.end()
            elif token := _TOKEN.match(self._text, at):
                tokens.append(_Token(token[0], at, token.end()))
                at = token.end()
            else:
                at += 1
        return tokens

    # -- telling ----------------------------------------------------------------------------------

    def told(self) -> str:
        """The text as it is said."""
        index = 0
        while index < len(self._tokens):
            token = self._tokens[index]
            if token.who:
                index = self._mention(index)
            else:
                if token.low in self._words.pronouns or token.low in self._words.ambiguous:
                    self._pronoun(index)
                elif token.is_word:
                    self._word(index)
                index += 1
        return self._joined()

    def _joined(self) -> str:
        pieces: list[str] = []
        end = 0
        for token in self._tokens:
            gap = self._text[end : token.start] if token.start > end else ""
            said = token.text if token.said is None else token.said
            pieces.append((gap if said or not pieces else "") + said)
            end = token.end
        line = re.sub(r"\s+", " ", "".join(pieces)).strip()
        first = self._tokens[0] if self._tokens else None
        if first is None or first.who or not first.text[:1].isupper():
            return line
        small = lexicon().known(first.low) or first.low in self._words.no_names
        return line[:1].lower() + line[1:] if small else line

    def _at(self, index: int) -> _Token | None:
        return self._tokens[index] if 0 <= index < len(self._tokens) else None

    def _low(self, index: int) -> str:
        token = self._at(index)
        return token.low if token is not None else "."

    def _mention(self, index: int) -> int:
        """Say who is mentioned, alone or with another; returns where to read on."""
        owning = self._low(index + 1) == "'s"
        if owning and not self._is_contraction(index + 2):
            self._possessive(index)
            return index + 2
        joined = self._at(index + 2)
        if self._low(index + 1) in self._words.joining and joined is not None and joined.who:
            owned = self._low(index + 3) == "'s"
            new_clause = self._object_here(index) and self._finite(index + 3)
            if not owned and not new_clause:
                return self._pair(index)
        after = index + 2 if owning else index + 1
        self._one(index, after)
        if owning:
            self._tokens[index + 1].said = self._contraction(index)
        return after

    def _one(self, index: int, after: int) -> None:
        token = self._tokens[index]
        contracted = after == index + 2
        case = "subject" if contracted or self._leads(index, after) else "object"
        token.said = self._form(token.who, case)
        if case == "subject":
            self._subject = self._agreed = token.who
        self._seen.append(token.who)

    def _pair(self, index: int) -> int:
        """Two that are named together: the one who speaks comes last, who listens first."""
        left, right = self._tokens[index], self._tokens[index + 2]
        case = "subject" if self._leads(index, index + 3) else "object"
        order = [left.who, right.who]
        polite = (self._listener, self._speaker)
        if order[0] == self._speaker or order == [polite[1], polite[0]]:
            order.reverse()
        left.said, right.said = (self._form(who, case) for who in order)
        if case == "subject":
            self._subject, self._agreed = left.who, ""
        self._seen += order
        return index + 3

    def _possessive(self, index: int) -> None:
        token, mark, after = self._tokens[index], self._tokens[index + 1], self._at(index + 2)
        alone = (
            after is None or not (after.is_word or after.who) or after.low in self._words.after_own
        )
        token.said = self._form(token.who, "own" if alone else "possessive")
        if token.who not in (self._speaker, self._listener):
            token.said = self._form(token.who, "object") + "'s"
        mark.said = ""
        self._seen.append(token.who)

    def _pronoun(self, index: int) -> None:
        token = self._tokens[index]
        low = token.low
        case = self._words.pronouns.get(low, "")
        if low in self._words.ambiguous:
            after = self._at(index + 1)
            noun = after is not None and (after.is_word or bool(after.who))
            noun = noun and self._low(index + 1) not in (
                self._words.no_nouns | self._words.after_own | self._words.adverbs
            )
            case = "possessive" if noun else self._words.ambiguous[low]
        who = self._meant(low, case)
        if case == "subject":
            self._subject, self._agreed = who or "?", who
        if who in (self._speaker, self._listener):
            token.said = self._form(who, case)

    def _meant(self, low: str, case: str) -> str:
        """Whom a pronoun of the third person stands for; "?" where it is nobody in particular."""
        subject = self._subject
        others = [who for who in self._seen if who != subject]
        if case == "object":
            return others[-1] if others else "?"
        # Nothing tells whether a player is he or she: with another person there, it is that one.
        unclear = subject == "player" and low not in self._words.plural_pronouns
        if case in {"possessive", "own"} and unclear and others:
            return others[-1]
        return subject or "?"

    def _word(self, index: int) -> None:
        if not self._finite(index) or self._low(index) in self._words.adverbs:
            return
        if self._agreed and self._continues(index):
            self._agree(self._tokens[index])
        elif not self._subject:
            self._subject = "?"  # "The wolf bit ...": somebody who is not named

    def _continues(self, index: int) -> bool:
        """Whether the verb here still belongs to the subject of the clause."""
        back = index - 1
        while back >= 0 and self._words.is_adverb(self._low(back)):
            back -= 1
        token = self._at(back)
        if token is None:
            return False
        if token.who or token.low in self._words.before_verbs:
            after = self._at(index + 1)
            listed = token.low in self._words.conjunctions and after is None
            return not (
                listed and self._low(index) not in self._words.auxiliaries and self._noun(index)
            )
        return False

    def _noun(self, index: int) -> bool:
        low = self._low(index)
        plural = self._words.plural_ending
        return bool(plural) and low.endswith(plural) and low[: -len(plural)] in lexicon().noun_like

    # -- grammar ----------------------------------------------------------------------------------

    def _finite(self, index: int) -> bool:
        """Whether a finite verb stands here, adverbs before it left out."""
        low = self._low(index)
        token = self._at(index)
        if token is None or token.who or not token.is_word:
            return False
        if self._words.is_adverb(low):
            return self._finite(index + 1)
        if low in self._words.auxiliaries:
            return True
        forms = {form for _, form in lexicon().forms.get(low, ())}
        if forms:
            return bool(forms & {"s", "past"})
        past = self._words.past_ending
        return bool(past) and low.endswith(past) and low not in lexicon().adjectives

    def _leads(self, index: int, after: int) -> bool:
        """Whether the mention at `index` is the subject of the verb that follows it."""
        if self._object_here(index):
            return False
        if self._low(after) == "," and (closing := self._closing_comma(after)):
            after = closing + 1
        if self._low(after) == self._words.relative:
            after += 1
        return self._finite(after)

    def _object_here(self, index: int) -> bool:
        before = self._at(index - 1)
        return before is not None and before.low in self._words.prepositions and not before.who

    def _closing_comma(self, comma: int) -> int:
        for index in range(comma + 1, min(comma + 8, len(self._tokens))):
            if self._low(index) == ",":
                return index
        return 0

    def _is_contraction(self, after: int) -> bool:
        """Whether "'s" before the token at `after` is "is" or "has"."""
        low = self._low(after)
        if low in self._words.after_is:
            return True
        token = self._at(after)
        forms = {form for _, form in lexicon().forms.get(low, ())}
        return token is not None and token.is_word and forms == {"ing"}

    def _contraction(self, index: int) -> str:
        who, after = self._tokens[index].who, self._low(index + 2)
        verb = "has" if after in self._words.after_has else "is"
        person = {self._speaker: f"first_{verb}", self._listener: f"second_{verb}"}
        return self._words.contracted[person.get(who, "third")]

    def _agree(self, token: _Token) -> None:
        """Put a verb of the third person in that of its subject."""
        who = self._agreed
        if who not in (self._speaker, self._listener):
            return
        table = self._rules["first_verbs" if who == self._speaker else "second_verbs"]
        low = token.low
        if low in table:
            token.said = table[low]
            return
        lemmas = [lemma for lemma, form in lexicon().forms.get(low, ()) if form == "s"]
        if lemmas and low not in self._words.auxiliaries:
            token.said = lemmas[0]

    def _form(self, who: str, case: str) -> str:
        if who == self._speaker:
            return str(self._rules["first"][case])
        if who == self._listener:
            return str(self._rules["second"][case])
        name = self._names.get(who, "")
        if not name:
            name = str(self._rules["unknown"]) if who == "player" else who
        return name
