"""What somebody does by saying a line: greet, tell, ask, beg, insult. Rules only, no model."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from astraweave.dialogue.language.clauses import read
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import plainly, sentences, words
from astraweave.rag.salience import TAG_QUESTION, TELLING_TAG, is_question

__all__ = ["Act", "ActKind", "act_of", "is_news", "is_telling"]

ActKind = Literal[
    "greeting",
    "farewell",
    "thanks",
    "telling",
    "question",
    "wellbeing",
    "recap",
    "request",
    "insult",
    "threat",
    "praise",
    "offer",
    "apology",
    "agreement",
    "smalltalk",
]

_GREETING = re.compile(
    r"^(?:(?:well|oh|ah|why)[\s,]+)?(?:hello|hi|hey|hail|greetings|good"
    r" (?:day|morning|afternoon|evening|morrow)|well met|howdy|hallo|salutations|"
    r"morning|evening|(?:i'm|i am) back|it's me(?: again)?|nice to (?:see|meet) you|good to see"
    r" you|long time no see)\b",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"\b(?:good ?bye|farewell|bye(?: bye)?|see you(?: later| soon| tomorrow| around)?|take"
    r" care|good ?night|until (?:next time|tomorrow|then)|i(?:'d| should|'d better| had better|"
    r" must| have to| need to|'ve got to)? (?:be off|be going|get going|go now|leave now|head"
    r" off|go home|off)|"
    r"i(?:'m| am) off|safe travels|fare ?thee ?well|so long|that'?s all for (?:now|today))\b",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\b(?:thank you|thanks|thank ye|much obliged|i(?:'m| am) grateful|cheers|many thanks|i"
    r" appreciate)\b",
    re.IGNORECASE,
)
_INSULT = re.compile(
    r"\b(?:you(?:'re| are)? (?:(?:a|an|such a|such an|nothing but a|just"
    r" a|the|so|really|very|quite|too|completely)? ?(?:\w+"
    r" )?)?(?:fool|idiot|moron|liar|coward|cheat|fraud|oaf|dolt|pig|dog|worm|rat|scoundrel|stupid|useless|worthless|ugly|pathetic|dumb|incompetent|hopeless|boring)|"  # noqa: E501
    r"shut up|go to hell|i hate you|damn you|curse you|get lost|you stink|you smell)\b",
    re.IGNORECASE,
)
_THREAT = re.compile(
    r"\b(?:i(?:'ll| will| shall|'m going to| am going to) (?:kill|hurt|break|burn|beat|gut|ruin|end"
    r"|skin|hang|strangle|crush|destroy) (?:you|your|ye|this (?:place|forge|house))|"
    r"(?:give|hand|tell)(?: it)?(?: over)? [^.?!]{0,40}\bor (?:else|i(?:'ll| will))\b|"
    r"do (?:it|as i say|what i say) or (?:else|i(?:'ll| will))\b|you(?:'ll| will) (?:regret|"
    r"be sorry"
    r" for|pay for|die for) (?:this|that|it)|watch your back|your (?:money|gold) or your life|"
    r"draw your (?:sword|weapon|blade)|i(?:'ll| will) have your head)\b",
    re.IGNORECASE,
)
_PRAISE = re.compile(
    r"^(?:(?:oh|well|ah|my)[\s,]+)?(?:you(?:'re| are|'ve been| have been)"
    r" (?:a |an |the |so |very |really |truly |always |"
    r"such a"
    r" )*(?:kind|good|brave|clever|wise|great|best|skilled|true|fine|generous|wonderful|amazing|"
    r"talented|strong|funny)\b|(?:good|well|nicely|beautifully) (?:done|made|said)|(?:nice|good|"
    r"great|fine|beautiful) (?:work|job)|i (?:really )?(?:admire|like|respect|love) (?:you|your"
    r" work)\b)(?! at\b)",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"^(?:(?:well|hey|say|so)[\s,]+)?(?:(?:can|may|could|might|shall) i (?:help|assist|lend|"
    r"give you"
    r" a hand|do anything|be of)|let me help|i(?:'d| would| could| can|'ll| will) (?:gladly |"
    r"happily"
    r" |be glad to |like to )?(?:help|assist|lend you a hand|give you a hand)|do you need (?:any"
    r" )?(?:help|a hand)|is there (?:anything|something) i can (?:do|help))\b",
    re.IGNORECASE,
)
_APOLOGY = re.compile(
    r"^(?:oh[\s,]+)?(?:i(?:'m| am) (?:so |very |really )?sorry|sorry|forgive me|my apologies|i"
    r" apologi[sz]e|pardon me)\b",
    re.IGNORECASE,
)
_AGREEMENT = re.compile(
    r"^(?:yes|yeah|aye|no|nay|okay|ok|sure|right|indeed|of course|i"
    r" see|fine|exactly|true|really|maybe|perhaps|i understand|good|great|wonderful|fair"
    r" enough|that's (?:right|true|good|it|all))[\s,.!]*$",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"^(?:tam[\s,]+)?(?:please\b|(?:can|could|would|will) you (?!tell"
    r" me|remind|remember|recall|say|still)|i(?:'d| would) like (?:you to|to (?:buy|order|have))|i"
    r" (?:need|want) (?:you to|a new|some|a)\b|make me|fix|mend|forge|sell me|give me|show me|help"
    r" me|bring me|lend me|repair|sharpen)",
    re.IGNORECASE,
)
_WELLBEING = re.compile(
    r"\b(?:how are you|how do you do|how(?:'s| is| are) (?:it going|things|life|business|trade|the"
    r" forge|everything|work|your day)|how have you been|how(?:'s| is) the (?:day|morning|work)|are"
    r" you (?:well|alright|all right|busy|tired)|what'?s new|what news|any news|how fares?)\b",
    re.IGNORECASE,
)
_RECAP = re.compile(
    r"\b(?:do you remember (?:me|who i am|our (?:talk|chat|conversation)|what we"
    r" (?:talked|spoke|said)|yesterday|anything)|remember me\b|what (?:did|have) (?:i|we)"
    r" (?:tell|told|talk|talked|say|said|speak|spoke|discuss|discussed)(?: you| about| to you)*(?:"
    r" yesterday| last time| before| the last time)?\s*\?*$|"
    r"what do you (?:know|remember) about me|what else do you remember|"
    r"(?:who am i(?! \w+ing)|do you know"
    r" me|do you know who i am)\b)",
    re.IGNORECASE,
)
_CHAT = re.compile(
    r"\b(?:weather|rain(?:s|ing|y)?|sunny|cold today|hot today|warm today|lovely day|nice day|fine"
    r" day|busy day|quiet today|long day|nice forge|smells? (?:good|nice)|what a"
    r" day|windy|foggy|snow(?:s|ing)?)\b",
    re.IGNORECASE,
)

_NEWS = re.compile(
    r"^(?:the|our) [\w' -]{3,40}? (?:is|are|has been|have been|was|were) (?:now |all |finally |"
    r"not |no longer )?(?:open|shut|closed|locked|barred|broken|dead|gone|empty|flooded|burnt|"
    r"burned|burning|on fire|blocked|missing|ill|sick|wounded|stolen|lost|ruined|destroyed|free|"
    r"cursed|haunted|finished|mended|repaired|poisoned|guarded|besieged|captured|back|safe|"
    r"dangerous|frozen|dry)\b(?: (?:now|again|down|today|since [\w ]+))*[.!]*$",
    re.IGNORECASE,
)
"""News of the world: nobody's own, and worth keeping."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What a line does.

    Attributes
    ----------
    kind : str
        The main act; a question outweighs a greeting before it.
    question : Question or None
        The question, read, when the act is ``"question"``.
    greets : bool
        A greeting stands before the main act.
    told : str
        The sentences that tell something, for acts that tell and ask.
    """

    kind: ActKind
    question: Question | None = None
    greets: bool = False
    told: str = ""


def act_of(utterance: str, listener: str = "") -> Act:
    """The act of an utterance.

    Parameters
    ----------
    utterance : str
        What was said, clean.
    listener : str
        Name of the one it was said to.

    Examples
    --------
    >>> act_of("Good morning! Where is my horse?").kind
    'question'
    >>> act_of("My horse is called Bramble.").kind
    'telling'
    """
    text = completed(plainly(utterance.strip()))
    said = sentences(text) or [text]
    greets = bool(_GREETING.match(text))
    if _RECAP.search(text):
        return Act(kind="recap", greets=greets)
    if _THREAT.search(text):
        return Act(kind="threat")
    if _OFFER.match(text):
        return Act(kind="offer", greets=greets)
    if _WELLBEING.search(text):
        return Act(kind="wellbeing", greets=greets)
    if len(said) == 1 and TAG_QUESTION.search(text) and _CHAT.search(text):
        return Act(kind="smalltalk", greets=greets)  # "Lovely weather, isn't it?"
    tagged = {s for s in said if (bare := untagged(s)) != s and is_telling(bare, listener)}
    told = " ".join(untagged(s) for s in said if s in tagged or is_telling(s, listener))
    if (asked := _asked(said, tagged, listener)) is not None:
        if _wants_a(asked):
            return Act(kind="request", greets=greets, told=told)
        return Act(kind="question", question=asked, greets=greets, told=told)
    kinds: list[tuple[re.Pattern[str], ActKind]] = [
        (_INSULT, "insult"), (_PRAISE, "praise"), (_APOLOGY, "apology"), (_FAREWELL, "farewell"), (_AGREEMENT, "agreement"),  # noqa: E501
    ]  # fmt: skip
    for pattern, kind in kinds:
        if pattern.search(text):
            return Act(kind=kind, greets=greets, told=told)
    if _THANKS.search(text) and len(text.split()) < 12:
        return Act(kind="thanks", greets=greets, told=told)
    if any(_REQUEST.match(s) for s in said):
        return Act(kind="request", greets=greets, told=told)
    if told:
        return Act(kind="telling", greets=greets, told=told)
    if greets:
        return Act(kind="greeting", greets=True)
    return Act(kind="smalltalk")


def _asked(said: list[str], tagged: set[str], listener: str) -> Question | None:
    """The last question among sentences, unless something is begged for after it."""
    for sentence in reversed(said):
        if _REQUEST.match(sentence) and not sentence.lower().startswith(
            ("please tell", "please remind")
        ):
            return None
        if (_RHETORICAL.match(sentence) and len(said) > 1) or sentence in tagged:
            continue
        question = read_question(sentence, listener=listener)
        if question is not None and (_wants_a(question) or not _tells_in_question(sentence)):
            return question
    return None


def _wants_a(question: Question) -> bool:
    """As in "Tell me a story": something is wanted, nothing is asked."""
    target = question.target
    return question.gap == "about" and target is not None and target.words[0].low in {"a", "an"}


_DID_YOU_KNOW = re.compile(
    r"^(?:did|do) you know[\s,]+(?:that )?"
    r"(?!who|what|where|when|how|which|whose|if|whether|why|the name|about|of|me\b)",
    re.IGNORECASE,
)


def _tells_in_question(sentence: str) -> bool:
    """As in "Did you know that my horse is called Bramble?"."""
    opening = _DID_YOU_KNOW.match(sentence)
    if opening is None:
        return False
    return any(c.subject and (c.verbs or c.auxiliaries) for c in read(sentence[opening.end() :]))


_RHETORICAL = re.compile(
    r"^(?:and |so |well |but )?(?:(?:you )?know what|guess (?:what|who|where)|"
    r"can you (?:believe|imagine) (?:it|that|this)|what do you (?:say|think|reckon)"
    r"(?: (?:to|of|about) (?:that|it|this))?|"
    r"is(?:n't| not) (?:that|it) (?:\w+ )?\w+|right|savvy|eh|huh|see|you see)\s*[?!.]*$",
    re.IGNORECASE,
)


_EXCLAIMING = re.compile(r"(?:(?:oh|ah|alas),? )?(?:what an? |how )[^?]*!$", re.IGNORECASE)
_FILLING = re.compile(r",\s*(?:you know|you see|mind you|i tell you)(?=[\s.!]*$)", re.IGNORECASE)
_WISHING = frozenset("need want hate love think hope owe miss".split())


def completed(text: str) -> str:
    """Sentences that leave out their "I" with it: "stashed the loot" is "I stashed the loot"."""
    said = sentences(text)
    whole = [_with_subject(s) for s in said]
    return text if whole == said else " ".join(whole)


def _with_subject(sentence: str) -> str:
    found = words(sentence)
    if len(found) < 3 or is_question(sentence) or sentence.rstrip().endswith(("?", "!")):
        return sentence
    first, after = found[0], found[1]
    if not first.is_("V") or first.is_("AP") or not after.is_("DSOPME"):
        return sentence
    clauses = read(sentence)
    if not clauses or clauses[0].subject is not None or clauses[0].verbs[:1] != [first]:
        return sentence
    if "past" in first.forms and "base" not in first.forms:
        lead = "I "
    elif first.forms & {"ing"}:
        lead = "I am "
    elif first.low in _WISHING:
        lead = "I "
    else:
        return sentence
    return lead + first.text[:1].lower() + sentence[1:]


def untagged(sentence: str) -> str:
    """A telling without the tag that dresses it up: "..., isn't that sweet?"."""
    bare = TELLING_TAG.sub("", sentence.strip()).rstrip(" ,")
    return f"{bare}." if bare and bare != sentence.strip() else sentence


def is_news(sentence: str) -> bool:
    """Whether a sentence says how something of the world is now: "The bridge is broken."."""
    return _NEWS.match(sentence.strip()) is not None


def is_telling(sentence: str, listener: str = "") -> bool:
    """Whether a sentence tells something that is worth keeping: a clause about somebody or something."""  # noqa: E501
    if sentence.rstrip().endswith("?") and not _tells_in_question(sentence):
        return False
    if _GREETING.match(sentence) and len(sentence.split()) < 6:
        return False
    if _EXCLAIMING.match(sentence):
        return False
    if read_question(sentence, listener=listener) is not None and not _tells_in_question(sentence):
        return False
    sentence = _FILLING.sub("", sentence)
    if is_news(sentence):
        return True
    if _tells_in_question(sentence):
        sentence = _DID_YOU_KNOW.sub("", sentence)
    lex = lexicon()
    found = words(sentence)
    anchored = any(w.is_("EM") or w.low in {"i", "my", "we", "our", "me", "us"} for w in found)
    if not anchored and any(w.low in {"you", "your"} for w in found):
        return False
    for clause in read(sentence):
        if clause.subject is None or not (clause.verbs or clause.auxiliaries):
            continue
        subject = clause.subject
        about_you = subject.head.low == "you" or (
            subject.owner is not None and subject.owner.head.low == "your"
        )
        here = subject.words[0].low in {"that", "this", "these", "those", "it", "there"}
        if about_you or (here and not anchored):
            continue
        content = [
            w for p in clause.phrases() for w in p.content() if not w.is_("O")
        ] + clause.extras
        things = [w for w in content if w.is_("NEM")]
        if _CHAT.search(sentence) and not anchored:
            continue
        if things and (
            anchored
            or subject.head.is_("E")
            or lex.keys(subject.head.low) & (lex.persons | lex.places)
            or clause.places
            or clause.objects
        ):
            return True
        if anchored and (clause.verbs or content):
            return True
    return False
