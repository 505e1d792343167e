"""What is said around a question: "Tam, do you still remember ...", "... , by the way?"."""

from __future__ import annotations

import re

__all__ = ["FORGOT", "unwrap"]

_LEAD = re.compile(
    r"^(?:(?:so|well|now|and|but|hey|hm+|oh|ah|um|er|listen|look|okay|ok|right|please|actually|yes|no|say|quick"
    r" question|"
    r"by the way|one more thing|just curious|out of curiosity|let me test you|let's see(?:"
    r" now)?|tell me something|before i forget|"
    r"(?:good |dear |my good )?smith|"
    r"(?:good |dear |old |my )?friend|(?:good |dear )?sir|master smith|"
    r"do me a favou?r|help me out|remind me(?= *[:,])|tell"
    r" me(?= *[:,])|i(?: was|'m|'ve been| am)? wondering(?= *[:,])|again)\b[\s,:.!—-]*)+",
    re.IGNORECASE,
)
_EMBED = re.compile(
    r"^(?:(?:do|can|could|would|will|might|did|have|are|is) (?:you|i|there) )?(?:\bstill |\bever"
    r" |\bplease |\bhappen to |\bby any chance |\bperhaps |\bmaybe |\balso |\beven )*"
    r"(?:you )?(?:able to )?(?:happen to )?(?:still )?(?:any chance (?:that )?you )?"
    r"(?:remember|recall|know|recollect|say|guess|tell me again|tell me|remind me again|remind"
    r" me|name|mind telling me|mind reminding me|refresh my memory(?: on| about| as to)?|"
    r"told me(?= who| what| where)|remember me telling you|remember me saying|remember what i"
    r" (?:said|told you) about|wonder|forget|forgot|forgotten|lost track of|any idea|a"
    r" clue|idea|have any idea|have any memory of)\b"
    r"(?: again| please| to me| me)?[\s,:]*",
    re.IGNORECASE,
)
_SELF_EMBED = re.compile(
    r"^(?:(?:any idea|i(?:'m| am) (?:trying|struggling) to (?:remember|recall)|i(?:'ve| have)?"
    r" (?:completely |quite |clean |totally )?(?:forgot(?:ten)?|forget)|i (?:can't|cannot|don't|do"
    r" not|can not|can no longer|couldn't|could not) "
    r"(?:quite |for the life of me |seem to |now )*(?:remember|recall|think|know|recollect|for the"
    r" life of me remember)(?: of)?|i (?:was|am|'ve been|have been) wondering|i'm wondering|i"
    r" wonder|i(?:'d| would) like to (?:know|hear)|"
    r"i (?:want|need|wish) to know|i(?:'m| am) curious|i have to ask|i must ask|you remember|you"
    r" know|you recall|it slips my mind|it escapes me|it has slipped my"
    r" mind)[\s,:]*(?:again[\s,:]*)?(?:about )?)",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:(?<!'s)[\s,]+(?:again|do you remember|do you recall|do you know|can you recall|can you"
    r" remember|remember|please|by the way|if you (?:remember|recall|know)|"
    r"can you tell me|could you tell me|would you remind me|tell me|then|anyway|would you"
    r" say|exactly|do you think|smith|my friend|friend|right|now|as i told you|"
    r"if (?:i|one) may ask|if you do(?:n't| not) mind(?: me asking)?|may i ask|"
    r"according to what i (?:said|told you)|did i (?:say|tell you|mention)|that i told you|i told"
    r" you about|that i mentioned|that i told you about|i mentioned|you remember|yesterday(?="
    r" *$)))+$",
    re.IGNORECASE,
)
_CLEFT = re.compile(
    r"\b(who|what|where|when|why|which [a-z]+|what [a-z]+|how many [a-z]+)\s+(?:was|is|were) it"
    r" (?:that |who |again that )?(?=\w)",
    re.IGNORECASE,
)
_I_SAID = re.compile(
    r"\b(?:did|have) i (?:say|tell you|mention|told you|said|mentioned|claim|once say|ever tell"
    r" you|ever mention)(?: that)?\s+(?=(?:\w+\s*)+)|\b(?:do you think|did you say|would you"
    r" say|have i told you)(?: that)?\s+(?=\w)",
    re.IGNORECASE,
)


FORGOT = re.compile(
    r"(?:oh,? |and |but )?i (?:\w+ )?(?:forgot|remember|recall|know)\b", re.IGNORECASE
)
"""As in "I forgot the green one.", which tells."""


def unwrap(text: str, listener: str) -> tuple[str, bool]:
    """The question without what is said around it, and whether it was wrapped in "tell me"."""
    bare = text.strip().strip('"“”').rstrip("?!. ").replace("’", "'")
    if listener:
        bare = re.sub(
            rf"^{re.escape(listener)}\b[\s,:]+|[\s,]+{re.escape(listener)}$",
            "",
            bare,
            flags=re.IGNORECASE,
        )
    embedded = False
    for _ in range(5):
        before = bare
        bare = _LEAD.sub("", bare).strip(" ,")
        if listener:
            bare = re.sub(
                rf"^{re.escape(listener)}\b[\s,:]+|[\s,]+{re.escape(listener)}$",
                "",
                bare,
                flags=re.IGNORECASE,
            )
        for pattern in (_SELF_EMBED, _EMBED):
            cut = pattern.sub("", bare, count=1)
            if cut != bare:
                bare, embedded = cut.strip(" ,"), True
        if len(tail := _TAIL.sub("", bare).strip(" ,")) < len(bare) and len(tail.split()) >= 2:
            bare = tail
        if bare == before:
            break
    bare = _CLEFT.sub(r"\1 ", bare)
    bare = re.sub(
        r"^(who|what|where|when|why|how many \w+|how much|which \w+|what \w+|how) (?:did|have|had)"
        r" I (?:say|tell you|told you|said|mention|mentioned)(?: that| to you)?\s+(?=\w)",
        r"\1 ",
        bare,
        flags=re.IGNORECASE,
    )
    bare = re.sub(
        r"^(what|who|where|which \w+) (?:it was|was it) (?:that )?(?=\w)",
        r"\1 ",
        bare,
        flags=re.IGNORECASE,
    )
    bare = (
        re.sub(
            r"(?:,)? (?:that )?I (?:told|said to|mentioned to) you(?: about)?(?: yesterday)?$",
            "",
            bare,
        )
        if len(bare.split()) > 6
        else bare
    )
    return bare, embedded
