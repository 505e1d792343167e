"""Trading first and second person by tables: for languages without a parser of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["PersonShift"]

_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\s+|.", re.DOTALL)
_CLAUSE_END = re.compile(r"[,.;:!?…–—]")


class PersonShift:
    r"""Trades "I" and "you" in a text, and conjugates the verbs that go with them. Immutable.

    Parameters
    ----------
    swap : mapping
        Tables ``first`` and ``second``: words to what they become.
    conjugate : mapping
        ``subjects``: pairs of a pronoun and the name of its verb table. Each verb table has
        ``words`` (irregular forms) and ``endings`` (pairs of a regular expression and what stands
        for it; the first that fits counts). ``clause_openers``: words behind which the verb comes
        last. ``and``: what joins two verbs of one subject. ``not_verbs``: words that are none
        though they stand beside a pronoun.
    """

    def __init__(self, swap: Mapping[str, Mapping[str, str]], conjugate: Mapping[str, Any]) -> None:
        self._swap = {
            word: said
            for table in ("first", "second")
            for word, said in swap.get(table, {}).items()
        }
        self._subjects: dict[str, str] = dict(conjugate.get("subjects", ()))
        self._and = frozenset(conjugate.get("and", ()))
        self.openers = frozenset(conjugate.get("clause_openers", ()))
        self._not_verbs = frozenset(conjugate.get("not_verbs", "").split())
        self._verbs: dict[str, tuple[Mapping[str, str], list[tuple[re.Pattern[str], str]]]] = {
            name: (
                table.get("words", {}),
                [(re.compile(p), r) for p, r in table.get("endings", ())],
            )
            for name, table in conjugate.get("verbs", {}).items()
        }

    def __call__(self, text: str) -> str:
        """The text in the other person."""
        tokens = _TOKEN.findall(text)
        words = [i for i, token in enumerate(tokens) if token[:1].isalpha()]
        changed: dict[int, str] = {}
        for place, index in enumerate(words):
            low = tokens[index].lower()
            if low in self._subjects and (verb := self._verb_of(tokens, words, place)) is not None:
                changed[verb] = self.conjugated(tokens[verb], self._subjects[low])
                for joined in self._joined(
                    tokens, words, words.index(max(verb, index)), self._subjects[low]
                ):
                    changed[joined] = self.conjugated(tokens[joined], self._subjects[low])
        for index in words:
            said = self._swap.get(tokens[index].lower())
            if said is not None and index not in changed:
                changed[index] = _cased(said, tokens[index])
        return "".join(changed.get(i, token) for i, token in enumerate(tokens))

    def _verb_of(self, tokens: Sequence[str], words: Sequence[int], place: int) -> int | None:
        """The finite verb of the pronoun at `place`: beside it, or last behind "weil", "dass"..."""
        index = words[place]
        before = words[place - 1] if place else None
        opened = (
            before is not None
            and tokens[before].lower() in self.openers
            and not _CLAUSE_END.search("".join(tokens[before:index]))
        )
        if opened:
            last = None
            for after in words[place + 1 :]:
                if _CLAUSE_END.search("".join(tokens[index:after])):
                    break
                last = after
            return last
        table = self._subjects[tokens[index].lower()]
        for near in (words[place + 1] if place + 1 < len(words) else None, before):
            if near is None or _CLAUSE_END.search(
                "".join(tokens[min(near, index) : max(near, index)])
            ):
                continue
            low = tokens[near].lower()
            lower = tokens[near][:1].islower() or near == words[0]
            if low not in self._not_verbs and lower and self.conjugated(low, table) != low:
                return near
        return None

    def _joined(
        self, tokens: Sequence[str], words: Sequence[int], start: int, table: str
    ) -> list[int]:
        """Later verbs of the same subject behind "und": irregular ones, which are no adjectives."""
        found = []
        for place in range(start + 1, len(words) - 1):
            low = tokens[words[place]].lower()
            if low in self._subjects:
                break
            if low in self._and and tokens[words[place + 1]] in self._verbs[table][0]:
                found.append(words[place + 1])
        return found

    def conjugated(self, verb: str, table: str) -> str:
        """A verb of one person in the other."""
        words, endings = self._verbs.get(table, ({}, []))
        low = verb.lower()
        if low in words:
            return _cased(words[low], verb)
        for pattern, said in endings:
            if pattern.search(low):
                return _cased(pattern.sub(said, low), verb)
        return verb


def _cased(said: str, like: str) -> str:
    return said[:1].upper() + said[1:] if like[:1].isupper() else said
