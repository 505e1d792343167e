"""Events in languages whose articles show the case: "du hast meinen Hammer zurückgegeben".

All words are data (``[events]`` with ``reading = "cases"`` in a language's file). Who acts is known
by the case of the article, or, for a name, by its place beside the finite verb; what is owned gets
its ending from the article that stood there or from the noun's gender. What fits no rule stays as
it is written.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from astraweave.dialogue.grammar import Grammar

__all__ = ["told_by_cases"]

_TOKEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[^\w\s]")
_CLAUSE_ENDS = frozenset(",;:.!?")


@dataclass(slots=True)
class _Token:
    text: str
    start: int
    end: int
    who: str = ""
    case: str = ""
    """Of a mention, where its form tells it."""
    said: str | None = None

    @property
    def low(self) -> str:
        return self.text.casefold()


def told_by_cases(
    text: str, grammar: Grammar, speaker: str, listener: str, names: Mapping[str, str]
) -> str:
    """An event as one of those in it tells it to another; see `retell_event`."""
    if any(mark in text for mark in '"„“«»'):
        return text
    return _Telling(text, grammar, speaker, listener, names).told()


class _Telling:
    def __init__(
        self, text: str, grammar: Grammar, speaker: str, listener: str, names: Mapping[str, str]
    ) -> None:
        self._text, self._grammar, self._rules = text, grammar, grammar.events
        self._persons = {speaker: "first", listener: "second"}
        self._names = names
        self._tokens = self._read({*names, speaker, listener} - {""})
        self._subject = ""

    def _read(self, ids: set[str]) -> list[_Token]:
        forms: dict[str, tuple[str, str]] = {}
        for key in ids:
            for called in {key, self._names.get(key, "")} - {""}:
                forms[called.casefold()] = key, ""
                for ending in self._rules.get("genitive", ()):
                    forms.setdefault(called.casefold() + ending, (key, "possessive"))
        for case, called in self._rules.get("strangers", {}).items():
            forms.update(dict.fromkeys(called, ("player", case)))
        longest = sorted(forms, key=len, reverse=True)
        mention = re.compile(
            rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE
        )
        tokens, at = list[_Token](), 0
        while at < len(self._text):
            found = mention.match(self._text, at) or _TOKEN.match(self._text, at)
            if found is None:
                at += 1
                continue
            who, case = forms.get(found[0].casefold(), ("", ""))
            tokens.append(_Token(found[0], found.start(), found.end(), who, case))
            at = found.end()
        return tokens

    def told(self) -> str:
        begin = 0
        for index in range(len(self._tokens) + 1):
            if index == len(self._tokens) or self._tokens[index].text in _CLAUSE_ENDS:
                if index > begin:
                    self._clause(self._tokens[begin:index])
                begin = index + 1
        pieces, end = list[str](), 0
        for token in self._tokens:
            said = token.text if token.said is None else token.said
            pieces.append((self._text[end : token.start] if said else "") + said)
            end = token.end
        line = "".join(pieces) + self._text[end:]
        first = self._tokens[0] if self._tokens else None
        if first is None or (first.who and first.who in self._names and not self._is_here(first)):
            return line  # a name keeps its capital
        small = first.who or first.low in self._grammar.stopwords
        return line[:1].lower() + line[1:] if small else line

    def _is_here(self, token: _Token) -> bool:
        return token.who in self._persons

    # -- a clause ---------------------------------------------------------------------------------

    def _clause(self, tokens: Sequence[_Token]) -> None:
        subject = self._subject_of(tokens)
        if subject is not None:
            self._subject = subject.who
            person = self._persons.get(subject.who, "")
            subject.said = self._form(subject, "subject")
            if person:
                for verb in self._verbs(tokens, subject):
                    verb.said = self._conjugated(verb.text, person)
        elif any(t.low in self._rules["subjects"].split() for t in tokens[:2]):
            self._subject = ""  # somebody else acts here
        words = {t.low for t in tokens}
        indirect = bool(words & set(self._rules.get("indirect_verbs", "").split()))
        for index, token in enumerate(tokens):
            if token is subject:
                continue
            if token.who and token.case == "possessive":
                self._owner(tokens, index)
            elif token.who:
                case = token.case or self._governed(tokens, index)
                token.said = self._form(token, case or ("indirect" if indirect else "object"))
            else:
                self._pronoun(token)

    def _subject_of(self, tokens: Sequence[_Token]) -> _Token | None:
        """Who acts: by the form of the article, or by the place beside the verb."""
        for token in tokens:
            if token.who and token.case == "subject":
                return token
        opener = self._opens(tokens[0])
        first = tokens[1 if opener and len(tokens) > 1 else 0]
        if first.low == self._rules.get("he") and self._subject in self._persons:
            return _stands_for(first, self._subject)
        if first.who and not first.case:
            return first
        if first.low in self._rules["subjects"].split() or first.case:
            inverted = first.case in {"object", "indirect"}
            if not inverted:
                return None
        for before, token in pairwise(tokens):
            if token.who and not token.case and self._is_verb(before):
                return token
        return None

    def _opens(self, token: _Token) -> bool:
        """Whether a word makes the verb come last; an article does not."""
        words = self._grammar.clause_openers
        return token.low in words and token.low not in self._rules["subjects"].split()

    def _verbs(self, tokens: Sequence[_Token], subject: _Token) -> list[_Token]:
        """The finite verbs of a subject: beside it, or last; and those behind "und"."""
        at = next(i for i, token in enumerate(tokens) if token is subject)
        found = []
        if self._opens(tokens[0]):
            found = [tokens[-1]] if self._is_verb(tokens[-1]) else []
        else:
            near = [tokens[i] for i in (at + 1, at - 1) if 0 <= i < len(tokens)]
            found = [token for token in near if self._is_verb(token)][:1]
        joining = self._rules.get("joining", "").split()
        for before, token in zip(tokens[at + 1 :], tokens[at + 2 :], strict=False):
            if before.low in joining and self._is_verb(token):
                found.append(token)
        return found

    def _is_verb(self, token: _Token) -> bool:
        if token.who or not token.text[:1].islower():
            return False
        return self._conjugated(token.text, "second") != token.text

    def _conjugated(self, verb: str, person: str) -> str:
        rules, place = self._rules["verbs"], 0 if person == "first" else 1
        if verb in rules["irregular"]:
            return str(rules["irregular"][verb][place])
        past = self._grammar.conjugated(verb, "first")
        if past != verb and not verb.endswith(("e", "t")):
            return verb if person == "first" else past  # strong past: "kam", "kamst"
        for pattern, *said in rules["endings"]:
            if re.search(pattern, verb):
                return re.sub(pattern, said[place], verb)
        return verb

    # -- what is not the subject ------------------------------------------------------------------

    def _governed(self, tokens: Sequence[_Token], index: int) -> str:
        """The case that the word before asks for; empty: it asks for none."""
        before = tokens[index - 1].low if index else ""
        for case, words in self._rules.get("governed", {}).items():
            if before in words.split():
                return str(case)
        return ""

    def _owner(self, tokens: Sequence[_Token], index: int) -> None:
        """Say whose something is, in "Tams Hammer" or "der Hammer des Spielers"."""
        token = tokens[index]
        person = self._persons.get(token.who, "")
        if not person:
            token.said = self._form(token, "possessive")
            return
        stem = self._rules[person]["possessive"]
        if token.text[-1:] != "s" or token.low not in self._rules["strangers"]["possessive"]:
            self._before_noun(tokens, index, stem)
            return
        back = index - 1
        while back > 0 and tokens[back].text[:1].islower() is False:
            back -= 1
        article = tokens[back]
        case = self._governed(tokens, back) or ("subject" if back == 0 else "object")
        for each in (case, "object", "indirect", "subject"):
            ending = self._rules["articles"][each].get(article.low)
            if ending is not None:
                article.said, token.said = stem + ending, ""
                return

    def _before_noun(self, tokens: Sequence[_Token], index: int, stem: str) -> None:
        noun = next((t for t in tokens[index + 1 :] if t.text[:1].isupper()), None)
        gender = _gender(self._grammar.tag, noun.text) if noun is not None else ""
        if not gender:
            return  # "mein", "meine"? Nobody can know: the name stays
        case = self._governed(tokens, index) or ("subject" if index == 0 else "object")
        tokens[index].said = stem + self._rules["endings"][gender][case]

    def _pronoun(self, token: _Token) -> None:
        person = self._persons.get(self._subject, "")
        his = self._rules.get("his", "")
        if not person:
            return
        if token.low == self._rules.get("itself"):
            token.said = self._rules[person]["object"]
        elif his and re.fullmatch(rf"{his}(?:e[nmrs]?)?", token.low):
            token.said = self._rules[person]["possessive"] + token.low[len(his) :]

    def _form(self, token: _Token, case: str) -> str:
        if person := self._persons.get(token.who, ""):
            return str(self._rules[person][case])
        if name := self._names.get(token.who, ""):
            return token.text if token.case == "possessive" else name
        return str(self._rules["unknown"][case]) if token.who == "player" else token.text


def _stands_for(token: _Token, who: str) -> _Token:
    token.who = who
    return token


@functools.lru_cache(maxsize=1024)
def _gender(tag: str, noun: str) -> str:
    genders: Mapping[str, Any] = Grammar.named(tag).events.get("genders", {})
    for gender in ("masculine", "feminine", "neuter", "plural"):
        words = genders.get(gender, "").split()
        if noun in words:
            return gender
        # "Schmiedehammer" is a "Hammer".
        if any(len(w) > 3 and noun.casefold().endswith(w.casefold()) for w in words):
            return gender
    for pattern, gender in genders.get("word_endings", ()):
        if re.search(pattern, noun):
            return str(gender)
    return ""
