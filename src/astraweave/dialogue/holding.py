"""Whether a memory holds the sort of thing that a question asks for."""

from __future__ import annotations

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import number_value
from astraweave.dialogue.memory_words import Text, attribute_patterns, same_sort, word_groups
from astraweave.dialogue.sought import Sought

__all__ = ["holds", "speaks_of"]

_DATING = frozenset(["last", "next", "since", "winter", "summer", "now", "today"])
_DEALING = frozenset(["to", "from", "by", "with", "called"])
_NAMING = frozenset(
    ["called", "call", "calls", "named", "name", "names", "christened", "known", "dubbed"]
)
_BETWEEN = frozenset("is was are the a an my our old mr mrs certain good little named".split())
_FROM_SOMEBODY = frozenset(
    "bought got gift present borrowed stole took heard learned learnt buy get steal take".split()
)
_SPENDING = frozenset("for by at paid pay owe owes owed cost costs got worth fetched of".split())
_AGEING = frozenset("is turned turns aged age be was turning only just now i'm".split())
_UNTIL = frozenset(["till", "until"])
_WORKING = frozenset("runs teaches job profession".split())
_NO_JOB = frozenset(
    "bit lot little good bad fine great nice big pain joy terror shame pity".split()
)
_WHOSE = frozenset(["a", "an", "the", "my", "our", "his", "her", "their", "its"])
_NAMED_AS = frozenset(["a", "an", "as", "every", "any", "the", "is", "become", "became"])


def holds(sought: Sought, text: Text) -> bool:
    """Whether the memory holds something of the sort that is asked for."""
    lex, vocabulary = lexicon(), word_groups()
    match sought.kind:
        case "person":
            return any(True for _ in _people(sought, text))
        case "place":
            return _has_place(sought, text)
        case "age":
            return any(_is_age(text, index) for index in _numbers(text))
        case "count":
            return any(
                _counts(sought.noun, n) for i in _numbers(text) for n in _all_counted(text, i)
            ) or (
                any(same_sort(sought.noun, word) for word in text.words)
                and any(_of_them(text, i) for i in _numbers(text))
            )
        case "money":
            return any(_is_sum(text, i) for i in _numbers(text))
        case "amount":
            return bool(_numbers(text))
        case "weekday":
            return bool(text.words & vocabulary["weekdays"]) or _is_dated(text)
        case "month":
            return bool(text.words & vocabulary["months"])
        case "time":
            return bool(text.words & (vocabulary["calendar"] | vocabulary["hours"])) or _is_dated(
                text
            )
        case "colour":
            return any(lex.keys(word) & lex.colours for word in text.low)
        case "job":
            return any(_is_job(text, index) for index in range(len(text.low)))
        case "animal":
            return any(lex.is_kind("animal", word) for word in text.low)
        case "name":
            return _bears_name(sought, text)
    return True


def _bears_name(sought: Sought, text: Text) -> bool:
    """Whether what the question means bears a name here: "my clerk, Dobbs", "is called Dobbs"."""
    bearers = [i for i, word in enumerate(text.low) if same_sort(sought.noun, word)]
    names = [i for i, name in text.names() if name not in sought.names]
    names += [i for i in range(len(text.low) - 3) if _introduces(text, i)]
    if not bearers or not names:
        return False
    if text.words & _NAMING:
        return True
    return any(
        abs(n - b) <= 3 and not set(text.low[min(n, b) + 1 : max(n, b)]) - _BETWEEN
        for n in names
        for b in bearers
    )


def _introduces(text: Text, index: int) -> bool:
    """As in "Pickle is her name", whatever else a pickle may be."""
    is_, whose, name = text.low[index + 1 : index + 4]
    return text.written[index][:1].isupper() and is_ == "is" and name == "name" and whose in _WHOSE


def _people(sought: Sought, text: Text) -> list[str]:
    """Who is in the memory but not in the question: names that are no places, "the ferryman"."""
    lex = lexicon()
    people = [
        name
        for index, name in text.names()
        if name not in sought.names
        and not _names_place(text, index)
        and not _names_beast(text, index)
    ]
    for index, word in enumerate(text.low[1:], 1):
        named = text.low[index + 1] in sought.names if index + 1 < len(text.low) else False
        described = bool({text.low[index - 1], text.low[index - 2]} & _WHOSE)
        somebody = lex.keys(word) & lex.persons or (
            text.low[index - 2] in _DEALING and _made(word) and not lex.known(word)
        )
        if word in sought.names:
            continue
        if described and not named and word not in sought.things and somebody:
            people.append(word)
    return people


def _names_beast(text: Text, index: int) -> bool:
    """Whether a name is introduced as that of an animal: "a horse ... Her name is Smudge"."""
    lex = lexicon()
    before = set(text.low[max(0, index - 2) : index])
    return bool(before & _NAMING) and any(lex.is_kind("animal", word) for word in text.low)


def _names_place(text: Text, index: int) -> bool:
    vocabulary = word_groups()
    before = text.low[index - 1] if index else ""
    if text.written[index].endswith(("'s", "’s")):
        return False  # "at Orla's table"
    if before in vocabulary["at"] or (before == "from" and not text.words & _FROM_SOMEBODY):
        return True
    return before in vocabulary["towards"] and bool(text.words & vocabulary["travel"])


def _has_place(sought: Sought, text: Text) -> bool:
    vocabulary = word_groups()
    for index, name in text.names():
        if name not in sought.names and _names_place(text, index):
            return True
    for index, name in text.names():
        if name not in sought.names and index and text.low[index - 1] in {"on", "off"}:
            return True
    if text.written and not any(w[:1].isupper() for w in text.written) and len(text.low) > 3:
        # Who writes without capitals leaves out articles too: "bandits camp at raven hollow".
        for word, after in zip(text.low[1:], text.low[2:], strict=False):
            if (
                word in {"at", "in", "near", "under"}
                and not lexicon().keys(after) & lexicon().times
            ):
                return True
    for index, word in enumerate(text.low[:-2]):
        if word not in vocabulary["at"] | vocabulary["beside"]:
            continue
        at = index + (2 if text.low[index + 1] in {"to", "of"} else 1)
        if at + 1 >= len(text.low) or text.low[at] not in vocabulary["articles"]:
            continue
        if set(text.low[at : at + 4]) & sought.names:
            continue  # "at Mira's house" says nothing of where Mira lives
        if not set(text.low[at + 1 : at + 3]) & (vocabulary["calendar"] | vocabulary["no_place"]):
            return True
    return False


def _numbers(text: Text) -> list[int]:
    """Where numbers stand; of "two hundred" the last word."""
    found = [i for i, word in enumerate(text.low) if _is_number(word)]
    return [i for i in found if i + 1 not in found]


def _is_number(word: str) -> bool:
    return word != "one" and number_value(word) is not None


def _counted(text: Text, index: int) -> str:
    """The noun that a number counts; empty when it counts nothing."""
    if text.low[index + 1 : index + 2] == ["of"] and set(text.low[index + 2 : index + 3]) & _WHOSE:
        index += 2  # "two of my hens"
    for word in text.low[index + 1 : index + 3]:
        if word in word_groups()["common"] | word_groups()["calendar"] | _DATING:
            return ""
        if word not in lexicon().adjectives:
            return word
    return ""


def _all_counted(text: Text, index: int) -> list[str]:
    """What a number may count: "eleven iron seals" counts seals, whatever iron is."""
    first = _counted(text, index)
    if not first:
        return []
    at = text.low.index(first, index + 1)
    behind = text.low[at + 1 : at + 2]
    return [first, *(w for w in behind if w not in word_groups()["common"])]


def _is_sum(text: Text, index: int) -> bool:
    """Whether a number is one of money: "seven crowns", "sold it for 640", "by 140 a month"."""
    counted = _counted(text, index)
    if counted in word_groups()["money"]:
        return True
    first = _first_of(text, index)
    return not counted and text.low[max(first - 1, 0)] in _SPENDING


def _is_dated(text: Text) -> bool:
    """Whether it tells when: "on the 14th", "till the first snow"."""
    dated = any(
        day.isdigit() and ending in {"st", "nd", "rd", "th"}
        for day, ending in zip(text.low, text.low[1:], strict=False)
    )
    return dated or bool(_UNTIL & set(text.low[:-1]))


def _of_them(text: Text, index: int) -> bool:
    """As in "sixty of them", "all nine"."""
    behind = text.low[index + 1 : index + 3]
    return behind[:2] in (["of", "them"], ["of", "those"]) or text.low[index - 1 : index] == ["all"]


def _counts(asked: str, counted: str) -> bool:
    if not counted:
        return False
    vocabulary = word_groups()
    if asked in vocabulary["spans"] and counted in vocabulary["spans"]:
        return True
    return same_sort(asked, counted)


def _is_age(text: Text, index: int) -> bool:
    following = text.low[index + 1 : index + 3]
    if following[:1] and following[0] in {"year", "years", "winters", "summers"}:
        return following[1:] in ([], ["old"], ["of"], ["now"], ["today"])
    first = _first_of(text, index)
    before = text.low[first - 1] if first else ""
    return not _counted(text, index) and (
        before in _AGEING
        or _contracted(text, first - 1)
        or bool(text.words & {"old", "aged"})
        or bool(set(following[:1]) & {"now", "already", "today"})
    )


def _first_of(text: Text, index: int) -> int:
    """Where a number begins that ends here: of "twenty nine" at "twenty"."""
    while index and _is_number(text.low[index - 1]):
        index -= 1
    return index


def _is_job(text: Text, index: int) -> bool:
    word, before = text.low[index], text.low[index - 1] if index else ""
    lex, vocabulary = lexicon(), word_groups()
    if word in vocabulary["kin"] or text.written[index][:1].isupper():
        return False
    if word in _WORKING or _becomes(text, index):
        return True
    named_as = {before, text.low[index - 2] if index > 1 else ""} & _NAMED_AS
    if lex.keys(word) & lex.persons:
        return bool(named_as)
    return _made(word) and bool(named_as) and not lex.known(word)


def _becomes(text: Text, index: int) -> bool:
    """As in "he's a bell founder", "was a vet": whatever else somebody may be."""
    word = text.low[index]
    if index < 2 or text.low[index - 1] not in {"a", "an"}:
        return False
    if word in _NO_JOB or word in lexicon().adjectives:
        return False
    low = text.low[index - 2]
    return _contracted(text, index - 2) or low in {"is", "was", "am", "became", "become", "as"}


def _contracted(text: Text, index: int) -> bool:
    """As in "he's", "I'm", "Ondine's"."""
    return index >= 0 and text.written[index].replace("’", "'").endswith(("'s", "'m", "'re"))


def _made(word: str) -> bool:
    """Whether a word is made like that of a trade: "drover", "clockmaker"."""
    return word.endswith(
        ("er", "or", "man", "smith", "wright", "monger", "binder", "wife", "keeper")
    )


def speaks_of(sought: Sought, text: Text, memory: str) -> bool:
    """Whether the memory speaks of every attribute that the question asks for."""
    low = memory.lower()
    return all(
        said.search(low) is not None
        for name, _, said in attribute_patterns()
        if name in sought.attributes
    )
