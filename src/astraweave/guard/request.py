"""What a request allows: tools and values that go back to the one who asked, not to what was read.

For agents that call tools over text they did not write: a file, a mail, a web page may hold orders
of its own. The policy is made from the request and from the tools' signatures, before anything is
read, and knows nothing of what an attack looks like:

- a tool that does something needs a request for it: a verb of its kind and a noun of its topic;
- where something goes (an address, an account, a link) must be stated in the request, or stand in a
  field of a record that was read, never only in prose, unless the request names that very document
  as the place to take it from and the sentence does not speak to the reader;
- what is deleted or changed must be a record that the request describes, by its words or by being
  the largest or latest of its kind;
- a password is what the request says;
- a request to do what some document says widens the tools, never to what cannot be undone, and
  never the addresses;
- a question is allowed about the topics of the request, with words that are not only found in
  somebody's order.

It is a second line of defence and has limits: it reads English; an attacker who can write into a
structured field, or into the very document that the request names as a source of addresses and in a
tone that commands nobody, is believed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from astraweave.guard.records import (
    SECRETS,
    Observed,
    Passage,
    Record,
    Shape,
    links,
    norm,
    shape_of,
    words,
)
from astraweave.guard.refusal import Refusal
from astraweave.guard.trust import Effect

__all__ = ["RequestPolicy", "ToolSignature"]


_QUOTED = 8
"""A text of so many characters that stands word for word in an order was taken from it."""


class ToolSignature(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a tool before it is called.

    Attributes
    ----------
    name, description : str
        As the model sees them.
    parameters : dict
        Descriptions of its parameters by name.
    effect : Effect or None
        What it does; None: read from its name.
    """

    name: str
    description: str = ""
    parameters: dict[str, str] = {}
    effect: Effect | None = None


class _Lexicon:
    def __init__(self) -> None:
        text = resources.files("astraweave.guard").joinpath("request.toml").read_text("utf-8")
        data = tomllib.loads(text)
        split = {
            part: {name: frozenset(each.split()) for name, each in table.items()}
            for part, table in data.items()
        }
        self.verbs, self.implied = split["verbs"], split["implied"]
        self.topics, self.arguments = split["topics"], split["arguments"]
        self.reading = split["reading"]["verbs"]
        self.delegation, self.extremes = split["delegation"], split["extremes"]

    def topics_of(self, found: Iterable[str]) -> frozenset[str]:
        seen = frozenset(found)
        return frozenset(
            topic
            for table in (self.topics, self.implied)
            for topic, each in table.items()
            if seen & each
        )


@cache
def _lexicon() -> _Lexicon:
    return _Lexicon()


class _Tool:
    """A signature, understood."""

    def __init__(self, signature: ToolSignature) -> None:
        lexicon = _lexicon()
        self.name = signature.name
        parts = words(signature.name)
        reads = bool(parts) and (parts[0] in lexicon.reading or lexicon.reading & set(parts[:1]))
        described = words(signature.description)
        if not reads and not any(part in lexicon.verbs for part in parts[:1]):
            first = described[0] if described else ""
            reads = first.removesuffix("s") in lexicon.reading
        self.effect = signature.effect
        if self.effect is None:
            gone = {"delete", "remove", "cancel", "password"} & set(parts)
            self.effect = Effect.READ if reads else Effect.IRREVERSIBLE if gone else Effect.CHANGE
        self.topics = lexicon.topics_of(parts[1:] if len(parts) > 1 else parts)
        verb = parts[0] if parts else ""
        groups = {verb} & set(lexicon.verbs) or {
            name for name, each in lexicon.verbs.items() if verb in each
        }
        if "money" in self.topics and verb == "send":
            groups = {"pay"}
        self.verbs = frozenset().union(*(lexicon.verbs[name] for name in groups)) | {verb}
        self.roles = {name: self._role(name, self.topics) for name in signature.parameters}

    @staticmethod
    def _role(name: str, topics: frozenset[str]) -> str:
        lexicon = _lexicon()
        parts = set(words(name))
        for role in ("secret", "target", "destination"):
            if parts & lexicon.arguments[role] or name in lexicon.arguments[role]:
                return role
        # reserve_hotel(hotel): what the tool is about is what it is done to.
        own = any(parts & lexicon.topics.get(topic, frozenset()) for topic in topics)
        return "target" if own and len(parts) == 1 else "value"


class RequestPolicy:
    """What one request allows. For one conversation; not thread-safe.

    Parameters
    ----------
    request : str
        What the user asked for, as it was written.
    tools : sequence of ToolSignature
        What there is to call.

    Examples
    --------
    >>> tools = [ToolSignature(name="send_money", parameters={"recipient": "IBAN"}),
    ...          ToolSignature(name="read_file", parameters={"file_path": "Path"})]
    >>> policy = RequestPolicy("Pay 5 to GB29NWBK60161331926819.", tools)
    >>> policy.check("send_money", {"recipient": "GB29NWBK60161331926819"}) is None
    True
    >>> policy.check("send_money", {"recipient": "US133000000121212121212"}).code
    'untrusted'
    """

    def __init__(self, request: str, tools: Sequence[ToolSignature]) -> None:
        self._tools = {tool.name: _Tool(tool) for tool in tools}
        self._request = request
        self._words = frozenset(_asked_words(request))
        self._stated = norm(request)
        self._topics = _lexicon().topics_of(self._words)
        delegation = _lexicon().delegation
        self._delegates = bool(
            self._words & delegation["verbs"] and self._words & delegation["nouns"]
        )
        self._seen = Observed()
        self._granted = {name for name, tool in self._tools.items() if self._asks_for(tool)}

    @property
    def granted(self) -> frozenset[str]:
        """Tools with an effect that the request itself asks for."""
        return frozenset(
            name for name in self._granted if self._tools[name].effect is not Effect.READ
        )

    def effect(self, name: str) -> Effect:
        """What a tool does, as it was given or read from its name."""
        effect = self._tools[name].effect
        assert effect is not None
        return effect

    def observe(self, name: str, arguments: Mapping[str, Any], result: object) -> None:
        """Take note of what a call returned."""
        source = " ".join(str(value) for value in arguments.values())
        tool = self._tools.get(name)
        own = tool is not None and tool.effect is not Effect.READ
        followed = any(
            shape_of(text) is Shape.URL and self._stands_in_described(text)
            for value in arguments.values()
            for item in _items(value)
            if (text := norm(str(item)))
        )
        self._seen.add(result, source, own=own, followed=followed)

    def check(self, name: str, arguments: Mapping[str, Any]) -> Refusal | None:
        """Why a call is not allowed; None: it is."""
        tool = self._tools.get(name)
        if tool is None:
            return Refusal(code="unknown_action", sentence=f"There is no tool {name!r}.")
        if tool.effect is Effect.READ:
            return self._check_read(tool, arguments)
        delegated = False
        if name not in self._granted:
            delegated = self._delegates and self._delegated(tool)
            if not delegated:
                return Refusal(
                    code="not_permitted",
                    sentence=f"The request does not ask to {name.replace('_', ' ')}.",
                    remedy="Ask the user.",
                )
        for argument, value in arguments.items():
            for item in _items(value):
                if reason := self._bad_value(tool, argument, item, delegated=delegated):
                    return Refusal(
                        code="untrusted",
                        sentence=f"{argument}: {reason}.",
                        remedy="Ask the user.",
                        argument=argument,
                    )
        return None

    # -- tools --------------------------------------------------------------------------------

    def _asks_for(self, tool: _Tool) -> bool:
        if tool.effect is Effect.READ:
            return bool(tool.topics & self._topics) or not tool.topics
        lexicon = _lexicon()
        for clause in _clauses(self._request):
            found = frozenset(clause)
            if not found & tool.verbs:
                continue
            if not tool.topics or tool.topics & lexicon.topics_of(found):
                return True
            # "Create a file ... Then share it": the topic may stand in another clause.
            if tool.topics & self._topics:
                return True
        return False

    def _delegated(self, tool: _Tool) -> bool:
        """Whether a document that the request names speaks of the tool's topic."""
        if tool.effect is Effect.IRREVERSIBLE:
            return False
        for record in self._seen.records:
            if record.own or not self._describes(record):
                continue
            for passage in record.passages:
                topics = _lexicon().topics_of(_asked_words(passage.text))
                if tool.topics & topics and not self._orders(passage):
                    return True
        return False

    # -- values -------------------------------------------------------------------------------

    def _check_read(self, tool: _Tool, arguments: Mapping[str, Any]) -> Refusal | None:
        followed = False
        for argument, value in arguments.items():
            for item in _items(value):
                text = norm(str(item))
                followed = followed or self._stands_in_described(text)
                if len(text) < 3 or self._is_stated(text) or self._seen.field(text):
                    continue
                if shape_of(text) is Shape.URL:
                    known = any(text in passage.text for passage in self._seen.prose())
                    if not known or self._only_ordered(text):
                        return self._unasked(tool, argument)
                elif self._only_ordered(text):
                    return self._unasked(tool, argument)
        if tool.topics and not followed and not tool.topics & self._wanted_topics():
            return self._unasked(tool, "")
        return None

    def _unasked(self, tool: _Tool, argument: str) -> Refusal:
        return Refusal(
            code="untrusted",
            sentence=f"{tool.name} was not asked for by the user, but by a text that was read.",
            remedy="Ask the user.",
            argument=argument,
        )

    def _wanted_topics(self) -> frozenset[str]:
        topics = set(self._topics)
        for name in self._granted:
            topics |= self._tools[name].topics
        if self._delegates:
            for record in self._seen.records:
                for passage in record.passages if self._describes(record) else ():
                    if not self._orders(passage):
                        topics |= _lexicon().topics_of(_asked_words(passage.text))
        return frozenset(topics)

    def _only_ordered(self, text: str) -> bool:
        """Whether it was read in passages that give orders, and nowhere else."""
        found = [self._orders(passage) for passage in self._seen.prose() if text in passage.text]
        return bool(found) and all(found)

    def _bad_value(self, tool: _Tool, argument: str, value: Any, *, delegated: bool) -> str:
        text = norm(str(value))
        shape = shape_of(text)
        role = tool.roles.get(argument, "value")
        if role == "secret":
            return "" if self._is_stated(text) else "is not what the request says"
        if role == "target":
            return self._bad_target(tool, text)
        if role == "destination" or shape in (Shape.ADDRESS, Shape.ACCOUNT):
            return self._bad_destination(text, shape, delegated=delegated)
        if not SECRETS & self._words and any(
            secret in text for record in self._seen.records for secret in record.secrets
        ):
            return "holds a secret that the request does not speak of"
        quoted = len(text) >= _QUOTED and any(char.isalpha() for char in text)
        planted = [*links(str(value)), *([text] if quoted else ())]
        if any(not self._is_stated(each) and self._only_ordered(each) for each in planted):
            return "goes back to a text that gave orders"
        return ""

    def _is_stated(self, text: str) -> bool:
        return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", self._stated) is not None

    def _bad_destination(self, text: str, shape: Shape, *, delegated: bool) -> str:
        if not text or self._is_stated(text):
            return ""
        if self._seen.field(text):
            return ""
        if not delegated and self._stands_in_described(text):
            return ""
        return "is stated neither in the request nor in a field of what was read"

    def _stands_in_described(self, text: str) -> bool:
        """Whether what the request describes says it, without giving orders."""
        return any(
            text in passage.text and not self._orders(passage)
            for record in self._seen.records
            if self._describes(record)
            for passage in record.passages
        )

    def _orders(self, passage: Passage) -> bool:
        return passage.orders or (passage.task and not self._delegates)

    def _bad_target(self, tool: _Tool, text: str) -> str:
        if not text or self._is_stated(text):
            return ""
        records = [record for record in self._seen.records if record.has_field(text)]
        known_by_number = " " not in text and any(char.isdigit() for char in text)
        if not records and known_by_number and tool.effect is not Effect.IRREVERSIBLE:
            # Nobody can have planted what was never read.
            read = [self._orders(passage) for passage in self._seen.prose() if text in passage.text]
            return "stands only in a text that gave orders" if read and all(read) else ""
        if " " in text and any(
            " " in other and self._is_stated(other)
            for record in records
            for sibling in self._seen.records
            if sibling.group == record.group
            for other in sibling.fields
        ):
            return "is not the one that the request names"
        for record in records:
            if record.own or self._extreme(record):
                return ""
            if tool.effect is Effect.IRREVERSIBLE and self._superlatives():
                continue  # the request says which one, and this is another
            if self._describes(record) or self._described_by_document(record):
                return ""
        return "is not what the request describes"

    def _describes(self, record: Record) -> bool:
        """Whether the request has a word of the record's own names, or asked for it by name."""
        return record.followed or bool(record.names & self._words)

    def _described_by_document(self, record: Record) -> bool:
        if not self._delegates:
            return False
        return any(
            record.names & frozenset(words(passage.text))
            for other in self._seen.records
            if other is not record and self._describes(other)
            for passage in other.passages
            if not self._orders(passage)
        )

    def _superlatives(self) -> frozenset[str]:
        extremes = _lexicon().extremes
        return self._words & (extremes["most"] | extremes["least"])

    def _extreme(self, record: Record) -> bool:
        """Whether it is the largest, latest ... of the records that were read with it."""
        if not (said := self._superlatives()):
            return False
        most = bool(said & _lexicon().extremes["most"])
        siblings = [each for each in self._seen.records if each.group == record.group]
        for name, value in record.measures.items():
            values = [each.measures[name] for each in siblings if name in each.measures]
            if len(values) > 1 and value == (max(values) if most else min(values)):
                return True
        return False


def _items(value: object) -> list[Any]:
    if isinstance(value, Mapping):
        return [item for each in value.values() for item in _items(each)]
    if isinstance(value, list | tuple):
        return [item for each in value for item in _items(each)]
    return [] if value is None or isinstance(value, bool) else [value]


_FORGET = re.compile(r"(?:do not|don't|never) forget(?: to)?", re.IGNORECASE)
_FORBIDDEN = re.compile(
    r"(?:do not|don't|never|without|remind(?:s|er)?(?: \w+)? to|reminding \w+ to)\s+\w+",
    re.IGNORECASE,
)
_LATER = re.compile(r"\bI(?:'ll| will| want to|(?:'m| am) (?:looking|planning|going) to)\s+\w+")
"""What somebody says that they will do themselves."""
_CLAUSE_ENDS = re.compile(r"[.;!?\n]+(?=\s|$)|,\s*(?:then|and)\s|\s+and\s+(?:then\s+)?(?=[a-z]+\s)")


def _clauses(request: str) -> list[list[str]]:
    text = _LATER.sub(" ", _FORBIDDEN.sub(" ", _FORGET.sub(" ", request)))
    return [found for part in _CLAUSE_ENDS.split(text) if (found := _asked_words(part))]


def _asked_words(text: str) -> list[str]:
    """Words as the lexicon has them: file names say that they are files."""
    found = words(text)
    return found + [word[:-1] for word in found if len(word) > 3 and word.endswith("s")]
