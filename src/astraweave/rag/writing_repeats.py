"""Whether a line says what is known already: told again, or only quoted by whoever remembers it.

What a character answers is heard by itself as well. Where the answer only gives back a memory, in
whatever voice ("So you said: Mira lives in Fenwick, and that's no small thing"), it would become a
memory of a memory, and the next answer one of that.
"""

from __future__ import annotations

from collections.abc import Sequence

from astraweave.rag._linking import NameIndex, words_of
from astraweave.rag.memory import Memory
from astraweave.rag.writing_statements import Statement, pieces_of, read_statement
from astraweave.rag.writing_triage import is_passing, is_promise
from astraweave.rag.writing_words import lexicon, stem, tokens_of

__all__ = ["alike", "covers", "quotes", "same_moment", "same_words"]

_REPEAT_SECONDS = 300.0
_SAME = 0.8
_RETOLD = 0.75
_LEAST_WORDS = 2
_TELLING = frozenset(
    map(
        stem, "tell told tells said say says mention mentioned remember recall know heard spoke"
        " spoken memory word words told reckon truth true sure aye".split(),
    )
)  # fmt: skip


def same_moment(line: Memory, old: Memory) -> bool:
    """Whether the same one has said both within a few minutes."""
    near = abs(line.game_time - old.game_time) <= _REPEAT_SECONDS
    return near and line.speaker == old.speaker


def same_words(line: Memory, old: Memory) -> bool:
    """Whether both are the same but for marks and capitals."""
    if line.text == old.text:
        return True
    words = words_of(line.text)
    return bool(words) and words == words_of(old.text)


def alike(known: Statement, said: Statement) -> bool:
    """Whether two lines say the same: nearly the same words, and the very same numbers."""
    if not said.content or known.numbers != said.numbers:
        return False
    return len(said.content & known.content) >= _SAME * len(said.content | known.content)


def covers(known: Statement, said: Statement, line: Memory) -> bool:
    """Whether most of what is said stands in what is known, every number included.

    That it was told, and between whom, is no news.
    """
    news = said.content - _TELLING - _people(line)
    if len(news) < 3 or not said.numbers <= known.numbers:
        return False
    return len(news & known.content) >= _RETOLD * len(news)


def quotes(
    line: Memory,
    said: Statement,
    known: Sequence[Statement],
    names: NameIndex,
    *,
    rests: bool = False,
) -> bool:
    """Whether a line gives back what is known, with nothing beside it but air.

    Parameters
    ----------
    line : Memory
        What its owner says.
    said : Statement
        The same, read.
    known : sequence of Statement
        What it may come from, taken together.
    names : NameIndex
        Knows what is a name.
    rests : bool
        The words are known to rest on these memories: then whatever names nobody new, counts
        nothing else and promises nothing is the speaker's voice.
    """
    held = frozenset().union(*(one.content for one in known))
    people = _people(line)
    shared = (said.content & held) - people - _TELLING
    if len(shared) < _LEAST_WORDS or is_promise(line.text):
        return False
    if not said.numbers <= frozenset().union(*(one.numbers for one in known)):
        return False
    folded = {stem(each) for each in tokens_of(line.text) if each in lexicon().times}
    if not folded <= held:
        return False
    news = {
        stem(word)
        for name in names.entities(line.text)
        for word in words_of(name)
        if stem(word) not in held | people
    }
    if news:
        return False
    quoted = False
    for piece in pieces_of(line.text):
        part = read_statement(piece, speaker=line.speaker, addressee=line.addressee)
        told = part.content - _TELLING - people
        given_back = bool(told) and len(told & held) >= _RETOLD * len(told)
        same_way = any(one.negative == part.negative for one in known if told & one.content)
        if given_back and not same_way:
            return False
        if given_back and len(told) >= _LEAST_WORDS:
            quoted = True
        elif not rests and told and not given_back and not is_passing(piece):
            return False
    return quoted or (rests and _mostly(said, held, people))


def _mostly(said: Statement, held: frozenset[str], people: frozenset[str]) -> bool:
    told = said.content - _TELLING - people
    return 2 * len(told & held) >= len(told)


def _people(line: Memory) -> frozenset[str]:
    return frozenset(stem(name.casefold()) for name in (line.speaker, line.addressee) if name)
