"""Which memories answer a question best.

Two searches run over everything that the character may draw on, by words (BM25 over stems) and by
meaning (cosine), each as standard deviations from its mean, summed: ranks would throw away by how
much one is better. The best by that sum, with a share of what stands around each, are candidates;
what speaks for each of them is measured (`_features`) and weighed (`_reranker`).

Names of people who speak count as what they are, who said it: as words, and in the question's
vector, they would find every line that holds the name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from astraweave.kernels.ranking import diversify, largest
from astraweave.rag._features import FEATURES, Asked, Field, features, fused
from astraweave.rag._hops import links
from astraweave.rag._linking import NameIndex, words_of
from astraweave.rag._moment import beside, looked_for, moment_of
from astraweave.rag._newest import lifted, with_newest
from astraweave.rag._question import FIRST_PERSON, kinds_of, named_speakers, search_words
from astraweave.rag._reranker import Reranker
from astraweave.rag._terms import about
from astraweave.rag._time import GameCalendar, without_time
from astraweave.rag.scopes import Readable

__all__ = ["Query", "Ranking", "diverse", "embedded_text", "rank", "read_query"]

_CANDIDATES = 150
_IN_SPAN = np.float32(4.0)  # so that what lies in the time asked for is among the candidates
_HOP_HITS = 5
_MOST_TOPICS = 4
_LINK_SCALE = 4.0  # a rare link scores about so much in BM25


class Query(NamedTuple):
    """A question as it was read."""

    text: str
    words: list[tuple[str, float]]
    """What is looked for by words."""
    said_by: frozenset[str]
    topics: tuple[str, ...]
    """Ids and names that it is about, without those of who said it."""
    known_names: frozenset[str]
    """Case-folded: names that lead nowhere new."""


class Ranking(NamedTuple):
    """Candidates, best first."""

    places: NDArray[np.int64]
    """Of the `Readable`."""
    scores: NDArray[np.float64]
    features: NDArray[np.float64]
    """Shape ``(len(FEATURES), len(places))``."""
    words: NDArray[np.float32]
    """BM25 of each."""
    meaning: NDArray[np.float32]
    """Cosine of each; NaN: it has no vector."""
    lift: NDArray[np.float64]
    """What of each score is for saying it last; see `_newest`."""


def read_query(text: str, known: Readable, names: NameIndex, speaker: str | None) -> Query:
    """Who and what a question is about."""
    speakers = known.speakers
    spans = names.spans(text)
    entities = names.entities(text, spans)
    said_by = named_speakers(text, speakers) | {one for one in entities if one in speakers}
    asked_words = set(words_of(text))
    if speaker and asked_words & FIRST_PERSON:
        said_by |= {speaker}
    named = {part for name in said_by for part in name.casefold().split()}
    if not said_by.isdisjoint(entities):  # by another name than their id
        for start, end, entity_id in spans:
            if entity_id in said_by:
                named.update(words_of(text[start:end]))
    telling = search_words(without_time(looked_for(text, known)))
    words = [(word, 1.0) for word in telling if word not in named] or [(w, 1.0) for w in telling]
    folded = {name.casefold() for name in said_by}
    topics = tuple(
        one for one in entities if one.casefold() not in folded and one.casefold() not in named
    )
    return Query(
        text=text,
        words=words,
        said_by=frozenset(said_by),
        topics=topics,
        known_names=frozenset(
            {name.casefold() for name in (*speakers, *entities, known.owner)} | named
        ),
    )


def embedded_text(
    text: str, speakers: Collection[str], undeclared: Collection[str], names: NameIndex
) -> str:
    """What of a question should be embedded: names of those who speak become 'I' and 'my'.

    Those whom the world does not declare are looked for as they are written.
    """
    pieces, at = [], 0
    for start, end, entity_id in names.spans(text):
        if entity_id in speakers:
            own = re.match(r"['’]s\b", text[end:])
            pieces += [text[at:start], "my" if own else "I"]
            at = end + (own.end() if own else 0)
    pieces.append(text[at:])
    replaced = without_time("".join(pieces))
    if undeclared:
        longest_first = sorted(filter(str.strip, undeclared), key=len)[::-1]
        pattern = "|".join(map(re.escape, longest_first)) or "(?!)"
        replaced = re.sub(rf"(?i)\b(?:{pattern})['’]s\b", "my", replaced)
        replaced = re.sub(rf"(?i)\b(?:{pattern})\b", "I", replaced)
    return replaced.strip() or text


def rank(
    query: Query,
    known: Readable,
    vector: NDArray[np.float32],
    *,
    now: float | None,
    calendar: GameCalendar,
    said_by: Sequence[int],
    reranker: Reranker,
    asker: int = -1,
    exclude: Collection[int] = frozenset(),
    include: int | None = None,
) -> Ranking:
    """The candidates of a question, ranked.

    Parameters
    ----------
    query : Query
        As it was read.
    known : Readable
        What may be drawn on; not empty.
    vector : ndarray, shape ``(dimensions,)``
        Of the question.
    now : float, optional
        Game time; None: that of the latest memory.
    calendar : GameCalendar
        Resolves time expressions.
    said_by : sequence of int
        Codes of ``query.said_by``; those below 0 stand for nobody.
    reranker : Reranker
        Weighs.
    asker : int
        Code of who asks; below 0: nobody in particular.
    exclude : collection of int
        Ids that are not wanted.
    include : int, optional
        A place that is ranked whether it is among the best or not.
    """
    columns = known.columns
    field = Field(known.word_scores(query.words), known.cosines(vector), columns)
    scores = fused(field, known.starts)
    moment = float(columns.game_time.max()) if now is None else now
    said_by = tuple(code for code in said_by if code >= 0)
    when = moment_of(query.text, known, moment, calendar, (asker,) if asker in said_by else said_by)
    order_by = scores.window
    if when.exact and when.span is not None:
        start, end = when.span
        inside = (columns.game_time >= start) & (columns.game_time <= end)
        order_by = order_by.copy()
        order_by[inside] += _IN_SPAN
    nearness = beside(when, columns.game_time, calendar.day_seconds)
    if nearness is not None:
        order_by = order_by + nearness
    places = largest(order_by, _CANDIDATES + len(exclude))
    if exclude:
        wanted = ~np.isin(columns.ids[places], np.fromiter(exclude, np.int64, len(exclude)))
        places = places[wanted][:_CANDIDATES]
    places = with_newest(places, known, exclude)
    if include is not None and include not in places:
        places = np.append(places, include)
    if not len(places):
        nothing = np.empty(0, np.float32)
        none = np.empty(0)
        return Ranking(places, none, np.empty((len(FEATURES), 0)), nothing, nothing, none)
    known.read_traits(places)
    kinds = kinds_of(query.text)
    asked = Asked(
        said_by=said_by,
        when=kinds.when,
        how_many=kinds.how_many,
        who=kinds.who,
        where=kinds.where,
        past=kinds.past,
        span=when.span,
        now=moment,
        day=calendar.day_seconds,
        exact=when.exact,
        event=when.event,
    )
    table = features(
        field, scores, asked, places, _topics(query, known, places), _hop(query, known, places)
    )
    weighed = reranker.scores(table)
    gone = FEATURES.index("superseded")
    lift = lifted(places, weighed, reranker.weights[gone] * table[gone], known, kinds)
    if nearness is not None:
        lift += nearness[places]
    weighed = weighed + lift
    # Best first; of equals the later place, which is the later memory.
    order = np.lexsort((-places, -weighed))
    places = places[order]
    return Ranking(
        places,
        weighed[order],
        table[:, order],
        field.words[places],
        field.meaning[places],
        lift[order],
    )


def diverse(ranking: Ranking, known: Readable, most: int, diversity: float) -> NDArray[np.int64]:
    """Which candidates to give back, so that they do not all say the same.

    Parameters
    ----------
    ranking : Ranking
        Best first.
    known : Readable
        Has their vectors.
    most : int
        How many are wanted.
    diversity : float
        0: the best as they are; towards 1: each as unlike those before it as can be.
    """
    if diversity <= 0.0 or most < 2:
        return np.arange(min(most, len(ranking.places)))
    near = min(len(ranking.places), 4 * most)
    chances = np.exp(ranking.scores[:near] - ranking.scores[0]).astype(np.float32)
    vectors = np.ascontiguousarray(known.vectors(ranking.places[:near]), np.float32)
    chosen: NDArray[np.int64] = diversify(vectors, chances, most, balance=1.0 - diversity)
    return chosen


def _topics(query: Query, known: Readable, places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Share of what the question is about that each candidate is about."""
    share = np.zeros(len(places), np.float32)
    topics = query.topics[:_MOST_TOPICS]
    for topic in topics:
        share += known.word_scores([(about(topic), 1.0)])[places] > 0.0
    return share / np.float32(max(1, len(topics)))


def _hop(query: Query, known: Readable, places: NDArray[np.int64]) -> NDArray[np.float32]:
    """How well each candidate matches what the best ones are about."""
    hits = (known.memory(place) for place in places[:_HOP_HITS].tolist())
    further = links(hits, query.known_names)
    if not further:
        return np.zeros(len(places), np.float32)
    return known.word_scores([(about(name), 1.0) for name in further])[places] / _LINK_SCALE
