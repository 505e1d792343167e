"""By which words a line is seen to greet, thank, insult or ask how somebody is."""

from __future__ import annotations

import re

__all__ = [
    "AGREEMENT",
    "APOLOGY",
    "AT_YOU",
    "CHAT",
    "FAREWELL",
    "FOR_YOU",
    "GREETING",
    "INDEBTED",
    "INSULT",
    "KINDNESS",
    "NEWS",
    "OFFER",
    "PRAISE",
    "RECAP",
    "REQUEST",
    "THANKS",
    "THREAT",
    "WELLBEING",
]

GREETING = re.compile(
    r"^(?:(?:well|oh|ah|why)[\s,]+)?(?:a (?:very )?(?=good ))?(?:hello|hi|hey|hail|greetings|good"
    r" (?:day|morning|afternoon|evening|morrow)|well met|howdy|hallo|salutations|"
    r"morning|evening|(?:i'm|i am) back|it's me(?: again)?|nice to (?:see|meet) you|good to see"
    r" you|long time no see|(?:it(?:'s| is) )?(?:good|nice|lovely) to see (?:you|everybody))\b",
    re.IGNORECASE,
)
FAREWELL = re.compile(
    r"\b(?:good ?bye|farewell|bye(?: bye)?|(?<!to )(?<!i )see you(?: later| soon| tomorrow| "
    r"around)?|take"
    r" care|good ?night|until (?:next time|tomorrow|then)|i(?:'d| should|'d better| had better|"
    r" must| have to| need to|'ve got to)? (?:be off|be going|get going|leaving|go now|leave now|"
    r"head"
    r" off|go home|go to bed|go to sleep|off)|i(?:'m| am) (?:going|off) (?:home|to bed|now)|i "
    r"(?:must|have to|need to|should|ought to) (?:go|leave|run)[.!]*$|"
    r"i(?:'m| am) (?:off|leaving)|safe travels|fare ?thee ?well|so long|i(?:'ll| shall| will) "
    r"leave you (?:to|in)|that'?s all for (?:now|"
    r"today))\b",
    re.IGNORECASE,
)
THANKS = re.compile(
    r"\b(?:thank you|thanks|thank ye|much obliged|i(?:'m| am) (?:so |very |most |deeply |really "
    r")?(?:grateful|obliged|thankful)|cheers|many thanks|i"
    r" appreciate)\b",
    re.IGNORECASE,
)
INDEBTED = re.compile(
    r"\b(?:how (?:can|could|shall|may) i (?:ever )?(?:thank|repay)|(?:don't|do not) know how "
    r"(?:i can |to )"
    r"(?:ever )?(?:thank|repay))\b",
    re.IGNORECASE,
)
INSULT = re.compile(
    r"\b(?:you(?:'re| are)? (?:(?:a|an|such a|such an|nothing but a|just"
    r" a|the|so|really|very|quite|too|completely)? ?(?:\w+"
    r" )?)?(?:fool|idiot|moron|liar|coward|cheat|fraud|oaf|dolt|pig|dog|worm|rat|scoundrel|stupid|useless|worthless|ugly|pathetic|dumb|incompetent|hopeless|boring)|"  # noqa: E501
    r"shut up|go to hell|i hate you|damn you|curse you|get lost|you stink|you smell)\b",
    re.IGNORECASE,
)
THREAT = re.compile(
    r"\b(?:i(?:'ll| will| shall|'m going to| am going to) (?:kill|hurt|break|burn|beat|gut|ruin|end"
    r"|skin|hang|strangle|crush|destroy|smash|slit|rob|stab|cut)(?: down)? (?:you|your|ye|this "
    r"(?:place|forge|house))|"
    r"(?:give|hand|tell|do)(?: it)?(?: over)? [^.?!]{0,40}\bor (?:else|i(?:'ll| will))\b|"
    r"do (?:it|as i say|what i say) or (?:else|i(?:'ll| will))\b|you(?:'ll| will) (?:regret|"
    r"be sorry"
    r" for|pay for|die for) (?:this|that|it)|watch your back|your (?:money|gold) or your life|"
    r"draw your (?:sword|weapon|blade)|i(?:'ll| will) have your head)\b",
    re.IGNORECASE,
)
PRAISE = re.compile(
    r"^(?:(?:oh|well|ah|my)[\s,]+)?(?:you(?:'re| are|'ve been| have been)"
    r" (?:a |an |the |so |very |really |truly |always |"
    r"such a"
    r" )*(?:kind|good|brave|clever|wise|great|best|skilled|true|fine|generous|wonderful|amazing|"
    r"talented|strong|funny)\b|(?:good|well|nicely|beautifully) (?:done|made|said)|(?:nice|good|"
    r"great|fine|beautiful) (?:work|job)|i (?:really )?(?:admire|like|respect|love) (?:you|your"
    r" work)\b)(?! at\b)",
    re.IGNORECASE,
)
OFFER = re.compile(
    r"^(?:(?:well|hey|say|so)[\s,]+)?(?:(?:can|may|could|might|shall) i (?:help|assist|lend|"
    r"give you"
    r" a hand|do anything|be of)|let me help|i(?:'d| would| could| can|'ll| will) (?:gladly |"
    r"happily"
    r" |be glad to |like to )?(?:help|assist|lend you a hand|give you a hand)|would you like "
    r"(?:some |any )?(?:help|company)|do you need (?:any"
    r" )?(?:help|a hand)|is there (?:anything|something) i can (?:do|help))\b",
    re.IGNORECASE,
)
APOLOGY = re.compile(
    r"^(?:(?:oh|please|fine|well|really|all right|alright|okay|ok|again|yes|no|look|truly)[\s,.]+)*"
    r"(?:i(?:'m| am) (?:so |very |really |truly |terribly )?sorry(?! (?:to hear|for your|about "
    r"your))"
    r"|(?:(?:it|that|i) was )?(?:only|just) (?:a joke|joking|kidding|teasing)|i(?:'m| am) "
    r"(?:only |just )?(?:joking|kidding|teasing)\b|sorry|forgive "
    r"(?:me|us)|(?:my|our) apologies|i (?:do )?(?:want to |must |wish to )?"
    r"apologi[sz]e|pardon (?:me|my)|excuse (?:me(?!,? (?:may|can|could|might|where|what|who|when|"
    r"how|do|does|is|are|have))|my)|i beg your pardon|i take (?:it|that) back|i take"
    r" back (?:what|that|my)|i did(?:n't| not) mean (?:it|to|that)|that was (?:very |so "
    r")?(?:wrong|rude|"
    r"unkind|stupid|mean) of (?:me|us))\b|[,;] i(?:'m| am) (?:so |very )?sorry[.!]*$",
    re.IGNORECASE,
)
AGREEMENT = re.compile(
    r"^(?:yes|yeah|aye|no|nay|okay|ok|sure|right|indeed|of course|i"
    r" see|fine|exactly|true|really|maybe|perhaps|i understand|good|great|wonderful|fair"
    r" enough|deal|done|agreed|never mind|that's (?:right|true|good|it|all))[\s,.!?]*$",
    re.IGNORECASE,
)
REQUEST = re.compile(
    r"^(?:\w+, )?(?:please\b(?! (?:forgive|excuse|pardon|do(?:n't| not)))|(?:can|could|would|"
    r"will) you (?!tell"
    r" me|remind|remember|recall|say|still|believe|imagine|forgive|(?:even )?(?:read|write|swim|"
    r"ride|sing|dance|"
    r"fight|cook|whistle|fly|count|bake|sew|fish|hunt|play)\s*\?|be |ever|have been)|i(?:'d| "
    r"would) like (?:you to|to (?:buy|order|have))|i"
    r" (?:need|want) (?:you to|a new|some|a)\b|make me|fix|mend|forge|sell me|give me|show me|help"
    r" me|bring me|lend me|repair|sharpen|(?:excuse me, )?(?:may|might|can|could) i (?:please "
    r")?(?:sit|come|"
    r"stay|enter|see|have|take|borrow|rest|sleep|use|ask|try|join|leave|buy|get)\b)"
    r"|^[^?]*,? please[.!]*$",
    re.IGNORECASE,
)
WELLBEING = re.compile(
    r"\b(?:how are you|how do you do|how(?:'s| is| are) (?:it going|things|life|business|trade|the"
    r" forge|everything|work|your day)|how have you been|how(?:'s| is| was) (?:the|your) (?:day|"
    r"morning|work|week|night|journey|evening)|how did you sleep|did you sleep well|are you okay|"
    r"are"
    r" you (?:well|alright|all right|busy|tired)|you (?:look|seem|sound|appear)(?: (?:so|very|"
    r"rather|quite|a bit|a"
    r" little))* (?:sad|tired|hungry|thirsty|worried|upset|unwell|pale|ill|lonely|thoughtful|"
    r"well|happy|angry|"
    r"unhappy|cross|"
    r"scared|afraid|nervous|down|gloomy|cheerful|glad|weary|miserable|troubled)|what'?s new|what "
    r"news|any news|how fares?)\b",
    re.IGNORECASE,
)
RECAP = re.compile(
    r"\b(?:do you remember (?:me|who i am|our (?:talk|chat|conversation)|what we"
    r" (?:talked|spoke|said)|yesterday|anything)|remember me\b|what (?:did|have) (?:i|we)"
    r" (?:tell|told|talk|talked|say|said|speak|spoke|discuss|discussed)(?: you| about| to you)*(?:"
    r" yesterday| last time| before| the last time)?\s*\?*$|"
    r"what do you (?:know|remember) about me|what else do you remember|"
    r"(?:who am i(?! \w+ing)|do you know"
    r" me|do you know who i am)\b)",
    re.IGNORECASE,
)
KINDNESS = re.compile(
    r"^(?:(?:oh|well|and|now)[\s,]+)*(?:i (?:do )?(?:believe|trust) (?:in )?you[.!]*$|(?:god|the "
    r"gods?|heaven) bless (?:you|ye)|bless (?:you|"
    r"ye)\b|i owe"
    r" (?:you|ye) (?:so |very )?(?:much|everything|a lot|my life|a great deal)|i(?:'m| am) (?:so "
    r"|very |"
    r"truly )?sorry (?:for|about|to hear (?:of|about)) your\b|i(?:'ve| have|'ll)?(?: just)? "
    r"(?:brought|bring|"
    r"made|got|bought|baked|picked) (?:you|ye) (?:a|an|some|the|these|this|those|two|three|my)\b|"
    r"i(?:'ve| have) (?:brought|made|baked|got) [^.?!]{1,40} for you\b|here(?:'s|"
    r" is| are)? [^.?!]{1,40} for you\b|here is your\b|here,? (?:take|have)\b|(?:this|these|it) "
    r"(?:is|are) for"
    r" you\b|take (?:this|these)\b|[^.?!]{2,40} sends? (?:you )?(?:his|her|their) (?:regards|love|"
    r"greetings|thanks)|(?:you(?:'re| are)|(?:that|this|it)(?:'s| is| was)) (?:so |very |too |"
    r"really |most )*"
    r"(?:kind|generous|good|nice|sweet|thoughtful) (?:of|to) (?:you|me|us)\b|that(?:'s| is) "
    r"(?:so |very |too |"
    r"most )*(?:kind|generous)\b|you really listen|it was (?:nice|good|lovely|a pleasure) "
    r"(?:talking|"
    r"speaking|to talk|meeting|to meet))",
    re.IGNORECASE,
)
_HOSTILE_WORDS = (
    r"fools?|idiots?|morons?|liars?|cowards?|cheats?|frauds?|oafs?|dolts?|pigs?|worms?|rats?|"
    r"scoundrels?|"
    r"stupid|useless|worthless|ugly|pathetic|dumb|incompetent|hopeless|boring|rubbish|trash|"
    r"filthy|rotten|"
    r"drunk|drunkard|disgrace|disgusting|stinks?|smells?|smelly|slow as|monster|witch|donkey|ass|"
    r"joke|"
    r"make[s]? me sick|disgusts? me|pigsty|dump|vinegar|dishwater|ashamed of yourself|bores? me|"
    r"goat|fatso|silly hat|silly face|falls? apart|"
    r"breaks? at once|fall to pieces|clumsy|lazy|greedy|heartless|miserable|terrible|awful"
)
AT_YOU = re.compile(
    rf"^(?:\w+, )?(?:i (?:think|say|believe|bet) (?:that )?)?(?:you|your|ye|yer)\b(?:(?!\b(?:not|"
    rf"never|no|look|"
    rf"seem|sound|that|told|said|tell|say|know|knew|if|when|who|because|about|than)\b|"
    rf"n't)[^?;,]){{0,40}}?\b(?:{_HOSTILE_WORDS})\b"
    r"|^(?:nobody|no one) (?:likes|loves|trusts|needs|wants) (?:you|ye)\b"
    r"|^(?:\w+, )?i (?:really )?(?:hate|despise|detest|loathe|spit on|spit at|can't stand|cannot "
    r"stand|don't"
    r" like|do not like|don't trust|do not trust) (?:you|your|ye|yer)\b"
    r"|^(?:\w+, )?you (?:could|can)(?:n't| ?not) (?:even )?(?:guard|hit|beat|catch|win|fight|do|"
    r"make|bake|cook)\b"
    r"|^i (?:couldn't|could not|don't|do not) care (?:less )?(?:about|for) (?:you|your)\b"
    r"|^(?:oi|hey),? (?:fatso|you fool|ugly|idiot|stupid)\b|^(?:ha!? )?look at your (?:silly|"
    r"stupid|ugly)\b"
    r"|^(?:this|that) (?:place|inn|tavern|shop|forge|house|ale|beer|wine|bread|food|soup|stew|"
    r"meal|work)\b"
    rf"[^?]{{0,30}}?\b(?:{_HOSTILE_WORDS})\b|^it (?:tastes?|smells?|looks?) like "
    rf"(?:{_HOSTILE_WORDS}|mud)\b"
    r"|^you don't scare me\b|^you call (?:yourself|that|this) an? "
    rf"|^(?:how |what an? )?(?:{_HOSTILE_WORDS})[.!]*$"
    r"|^(?:get )?out of my (?:way|sight)\b|^move it\b|^leave me alone\b",
    re.IGNORECASE,
)
"""An insult without a "you are a fool" in it: "Your work is rubbish.", "Nobody likes you."."""
_KIND_WORDS = (
    r"wonderful\w*|beautiful\w*|marvellous\w*|splendid\w*|brilliant\w*|excellent\w*|perfect\w*|"
    r"lovely|"
    r"amazing\w*|interesting|fascinating|delicious|clever|cleverest|wise|wisest|brave|bravest|"
    r"kind|kindest|generous|"
    r"skilled|talented|"
    r"gifted|best|finest|great|good|funny|strong|sweet|charming|well|saved|healed|cured|rescued|"
    r"helped"
)
FOR_YOU = re.compile(
    r"^(?:\w+, )?(?:i (?:think|say|believe) (?:that )?)?(?:"
    rf"you(?:'re| are| were|'ve been| have been)(?: (?!not|never|no\b)[\w']+){{0,3}}? "
    rf"(?:{_KIND_WORDS})\b"
    rf"|your (?:[\w-]+ ){{1,3}}?(?:is|are|was|were|tastes?|smells?|looks?|sounds?)(?: (?!not|"
    rf"never|no\b)"
    rf"[\w']+){{0,2}}? (?:{_KIND_WORDS})(?: [\w-]+|,? (?:in|of|i've|i have|that) [\w' -]+)?[.!]*$"
    r"|you (?:\w+ )?(?:play|sing|bake|cook|fight|dance|work|write|tell|read|paint|shoot|"
    r"ride)s?(?: \w+)?"
    rf" (?:so |very )?(?:{_KIND_WORDS})[.!]*$"
    r"|you have (?:such )?an? (?:good|kind|big|great|warm|sharp|clever|beautiful|lovely) \w+[.!]*$"
    r"|you (?:have |'ve )?(?:just )?(?:saved|healed|cured|rescued|helped) (?:me|us|him|her|them|"
    r"my|his|our|the)\b"
    r"|your \w+ (?:has |have )?(?:saved|healed|cured|helped|rescued) (?:me|us|him|her|them|my|"
    r"his|our|the)\b)"
    r"|^(?:\w+, )?(?:i|we) (?:really |so |do )?(?:love|like|admire|enjoy|enjoyed) (?:you|your)\b"
    rf"|^(?:this|that|the|what an?) (?:[\w-]+ ){{1,2}}(?:tastes?|smells?|looks?|sounds?|"
    rf"feels?)(?: so| very)?"
    rf" (?:{_KIND_WORDS})",
    re.IGNORECASE,
)
"""Praise without a "you are good" in front: "You play beautifully.", "Your raven is clever."."""

CHAT = re.compile(
    r"\b(?:weather|rain(?:s|ing|y)?|sunny|cold today|hot today|warm today|lovely day|nice day|fine"
    r" day|busy day|quiet today|long day|nice forge|smells? (?:good|nice)|what a"
    r" day|windy|foggy|snow(?:s|ing)?)\b",
    re.IGNORECASE,
)

NEWS = re.compile(
    r"^(?:the|our) [\w' -]{3,40}? (?:is|are|has been|have been|was|were) (?:now |all |finally |"
    r"not |no longer )?(?:open|shut|closed|locked|barred|broken|dead|gone|empty|flooded|burnt|"
    r"burned|burning|on fire|blocked|missing|ill|sick|wounded|stolen|lost|ruined|destroyed|free|"
    r"cursed|haunted|finished|mended|repaired|poisoned|guarded|besieged|captured|back|safe|"
    r"dangerous|frozen|dry)\b(?: (?:now|again|down|today|since [\w ]+))*[.!]*$",
    re.IGNORECASE,
)
"""News of the world: nobody's own, and worth keeping."""
