"""Word lists: which words can be verbs, what means the same, what is a kind of what."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

__all__ = ["Lexicon", "lexicon", "singular", "third_person"]

_PLURALS = {
    "men": "man", "women": "woman", "children": "child", "geese": "goose", "mice": "mouse",
    "feet": "foot", "teeth": "tooth", "oxen": "ox", "people": "person", "pence": "penny",
    "knives": "knife", "wives": "wife", "wolves": "wolf", "thieves": "thief", "loaves": "loaf",
    "shelves": "shelf", "leaves": "leaf", "halves": "half", "lives": "life", "calves": "calf",
    "hooves": "hoof", "scarves": "scarf", "dwarves": "dwarf", "elves": "elf", "staves": "staff",
    "lice": "louse", "dice": "die", "pennies": "penny", "axes": "axe", "shoes": "shoe",
    "blacksmiths": "blacksmith", "ties": "tie", "pies": "pie", "lies": "lie",
}  # fmt: skip
_ALWAYS_S = frozenset(
    [
        "his",
        "this",
        "is",
        "was",
        "has",
        "does",
        "yes",
        "thus",
        "plus",
        "bus",
        "glass",
        "grass",
        "cross",
        "boss",
        "dress",
        "news",
        "lens",
        "gas",
        "us",
        "its",
        "always",
        "perhaps",
        "christmas",
        "chess",
        "moss",
        "brass",
        "harness",
        "compass",
        "princess",
        "mistress",
        "seamstress",
        "business",
        "illness",
        "sickness",
        "witness",
        "fortress",
        "waitress",
        "duchess",
    ]
)


def singular(word: str) -> str:
    """The singular of an English noun in lower case, by rule.

    Examples
    --------
    >>> singular("geese"), singular("berries"), singular("boxes"), singular("moss")
    ('goose', 'berry', 'box', 'moss')
    """
    if word in _PLURALS:
        return _PLURALS[word]
    if (
        len(word) < 4
        or word in _ALWAYS_S
        or not word.endswith("s")
        or word.endswith(("ss", "us", "is"))
    ):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zzes")):
        return word[:-2]
    if word.endswith("oes"):
        return word[:-2]
    return word[:-1]


class Lexicon:
    """The words of `lexicon.toml`, indexed. Immutable after construction; thread-safe."""

    def __init__(self, data: dict[str, str]) -> None:
        self.forms: dict[str, list[tuple[str, str]]] = {}
        irregular: dict[str, set[str]] = {}
        for entry in data["irregular"].replace("\n", ";").split(";"):
            if not entry.strip():
                continue
            lemma, past, part = entry.split()
            irregular.setdefault(lemma, set()).update((past, part))
            self._form(past, lemma, "past")
            self._form(part, lemma, "part")
        for lemma in dict.fromkeys([*data["verbs"].split(), *irregular]):
            self._form(lemma, lemma, "base")
            self._form(third_person(lemma), lemma, "s")
            self._form(_doubled(lemma) + "ing", lemma, "ing")
            if lemma not in irregular or lemma in {
                "dream",
                "burn",
                "learn",
                "spell",
                "spoil",
                "kneel",
                "leap",
                "light",
                "wed",
            }:
                past = lemma + "d" if lemma.endswith("e") else _y_to_i(_doubled(lemma)) + "ed"
                self._form(past, lemma, "past")
                self._form(past, lemma, "part")
        self.noun_like = frozenset(data["noun_like"].split())
        self.adjectives = frozenset(data["adjectives"].split())
        self.adverbs = frozenset(data["adverbs"].split())
        self.persons = frozenset(data["persons"].split())
        self.places = frozenset(data["places"].split())
        self.times = frozenset(data["times"].split())
        self.colours = frozenset(data["colours"].split())
        self.materials = frozenset(data["materials"].split())
        self.units = frozenset(data["units"].split())
        self.fillers = frozenset(data["fillers"].split())
        self.not_names = frozenset(data["names_of_things"].split())
        self._rings: dict[str, set[int]] = {}
        for number, ring in enumerate(data["rings"].strip().splitlines()):
            for word in ring.split():
                self._rings.setdefault(word, set()).add(number)
        self._kinds: dict[str, set[str]] = {}
        for line in data["kinds"].strip().splitlines():
            kind, _, members = line.partition(":")
            self._kinds[kind.strip()] = set(members.split())
        self.known_kinds = frozenset(self._kinds)
        self._members = frozenset(m for members in self._kinds.values() for m in members)

    def _form(self, form: str, lemma: str, name: str) -> None:
        entry = (lemma, name)
        known = self.forms.setdefault(form, [])
        if entry not in known:
            known.append(entry)

    @functools.lru_cache(maxsize=8192)  # noqa: B019 - one lexicon lives as long as the process
    def keys(self, word: str) -> frozenset[str]:
        """Every lemma that a word in lower case may have."""
        found = {lemma for lemma, _ in self.forms.get(word, ())}
        found.add(singular(word))
        if word in self.noun_like or word in self.adjectives:
            found.add(word)
        if word not in self.forms:
            for ending, cut in (("ing", 3), ("ed", 2)):
                if word.endswith(ending) and len(word) > cut + 3:
                    bare = word[:-cut]
                    found.update((bare, bare + "e"))
                    if bare[-1] == bare[-2]:
                        found.add(bare[:-1])
            for ending in ("er", "ly"):
                if word.endswith(ending) and word[: -len(ending)] in self.adjectives:
                    found.add(word[: -len(ending)])
        return frozenset(found)

    def same(self, left: str, right: str) -> bool:
        """Whether two words may mean the same: a shared lemma or a shared ring."""
        if not self.keys(left).isdisjoint(self.keys(right)):
            return True
        return not self._rings_of(left).isdisjoint(self._rings_of(right))

    @functools.lru_cache(maxsize=8192)  # noqa: B019 - see `keys`
    def _rings_of(self, word: str) -> frozenset[int]:
        return frozenset(ring for key in self.keys(word) for ring in self._rings.get(key, ()))

    def is_kind(self, kind: str, member: str) -> bool:
        """Whether `member` is one of `kind`: ``animal`` and ``geese``."""
        if self.known_kinds.isdisjoint(self.keys(kind)):
            return False
        names = self.keys(member)
        return any(names & self._kinds[key] for key in self.keys(kind) if key in self._kinds)

    def known_member(self, word: str) -> bool:
        """Whether the lexicon says of what kind the word is."""
        return bool(self.keys(word) & self._members)

    @functools.lru_cache(maxsize=8192)  # noqa: B019 - see `keys`
    def known(self, word: str) -> bool:
        """Whether the lexicon says enough of the word to be trusted when it says no."""
        keys = self.keys(word)
        lists = (self.persons, self.places, self.times, self.colours, self.materials, self.units)
        return self.ringed(word) or self.known_member(word) or any(keys & words for words in lists)

    def ringed(self, word: str) -> bool:
        """Whether the lexicon knows any synonym of the word, so that it may be trusted to say no."""  # noqa: E501
        return any(key in self._rings or key in self._kinds for key in self.keys(word))


@functools.cache
def lexicon() -> Lexicon:
    """The lexicon, read once a process; it never changes."""
    text = resources.files(__package__ or "").joinpath("lexicon.toml").read_text(encoding="utf-8")
    return Lexicon(tomllib.loads(text))


def third_person(lemma: str) -> str:
    """A verb as it goes with "he": "goes", "carries"."""
    if lemma.endswith(("s", "x", "ch", "sh", "z", "o")):
        return lemma + "es"
    if lemma.endswith("y") and lemma[-2] not in "aeiou":
        return lemma[:-1] + "ies"
    return lemma + "s"


def _y_to_i(lemma: str) -> str:
    return lemma[:-1] + "i" if lemma.endswith("y") and lemma[-2] not in "aeiou" else lemma


_DOUBLED = frozenset(
    [
        "admit",
        "chop",
        "clap",
        "drop",
        "fit",
        "grip",
        "gut",
        "hop",
        "hug",
        "jog",
        "knit",
        "mop",
        "nip",
        "pat",
        "pin",
        "plan",
        "plod",
        "plot",
        "pop",
        "prefer",
        "rip",
        "rob",
        "rub",
        "sap",
        "scrub",
        "shop",
        "sip",
        "skip",
        "slip",
        "snap",
        "spot",
        "stab",
        "step",
        "stir",
        "stop",
        "strap",
        "swap",
        "tag",
        "tan",
        "tap",
        "tip",
        "trap",
        "travel",
        "trim",
        "trip",
        "trot",
        "tug",
        "vex",
        "wag",
        "wed",
        "whip",
        "wrap",
        "cut",
        "dig",
        "get",
        "hit",
        "let",
        "put",
        "run",
        "set",
        "shut",
        "sit",
        "spin",
        "swim",
        "win",
        "begin",
        "forget",
        "bid",
        "bet",
        "forbid",
        "regret",
        "refer",
        "quarrel",
        "tar",
        "star",
        "scar",
        "knot",
        "nod",
        "beg",
        "bar",
        "ban",
        "dip",
        "chip",
        "clip",
        "drag",
        "drum",
        "equip",
        "kidnap",
        "label",
        "mislabel",
        "quit",
        "rap",
        "rot",
        "slap",
        "slam",
        "split",
        "spit",
        "swig",
        "chat",
        "hum",
        "jam",
        "map",
        "mar",
        "pet",
        "rid",
        "rig",
        "scan",
        "scrap",
        "ship",
        "sin",
        "slit",
        "snip",
        "stun",
        "tot",
        "wet",
        "whet",
        "zip",
        "jut",
    ]
) - {"vex"}


def _doubled(lemma: str) -> str:
    if lemma in _DOUBLED:
        return lemma + lemma[-1]
    if lemma.endswith("ie"):
        return lemma[:-2] + "y"
    if lemma.endswith("e") and not lemma.endswith(("ee", "oe", "ye")) and lemma != "be":
        return lemma[:-1]
    return lemma
