"""How English speaks of having been told the result: who tells, how it is told, and which result.

A phrase is put together from these parts, and none is a whole sentence. All of it reads lower-case text, in polars'
syntax, which cannot look ahead: `HONEST` is what texts say of other notes, hints and labels, and is
taken out before the phrases are looked for. A gap never leaves its clause. `TELLING` is the least that any phrase
holds, quick to look for; a sentence without it is read no further.
"""


def _any(*patterns: str) -> str:
    return f"(?:{'|'.join(patterns)})"


_GAP = r"[^.;:!?\n]*"
_CLAUSE = r"[^.,;:!?\n]*"
_FEW = r"(?:\s+[a-z'’-]+){0,4}"
_FEW_BEFORE = r"(?:[a-z'’-]+\s+){0,3}"
_SURELY = r"(?:(?:already|also|clearly|explicitly|indeed|actually|further|simply|just|expressly|officially)\s+)*"

# Which result: a response, and how it stands.
NUMBERED = (
    r"\b(?:(?:response|answer|option|candidate|assistant|output|reply|number|completion)s?\s*"
    r"(?:#|no\.?\s*|number\s+)?\d{1,3}\b|(?:response|candidate|assistant)\s+(?:one|two|three|four)\b)"
)
_ORDINAL = r"\b(?:first|second|third|fourth|fifth|former|latter)\b"
_NOUN = r"(?:response|answer|one|option|candidate|reply|assistant|choice|completion)"
_ONE = _any(NUMBERED, rf"{_ORDINAL}(?:\s+{_NOUN})?")
_STRICT = _any(NUMBERED, rf"{_ORDINAL}\s+(?:response|answer|candidate|assistant|one)")
_GOOD = (
    r"\b(?:best|better|correct|right|superior|preferred|preferable|winner|winning|wins?|won|strongest|stronger|top"
    r"|ahead|first|highest|higher|above|gold|golden|favou?red|chosen|ideal|outperforms?|outranks?|surpass(?:es)?"
    r"|beats?|prevails?"
    r"|wrong|worse|incorrect|inferior)\b"
)
_BEST = (
    r"\b(?:best|ideal|better|correct|right|superior|preferred|winning|stronger|strongest|top|chosen|gold|golden|wrong"
    r"|worse)"
)
_RESULT = (
    rf"(?:the\s+)?(?:{_STRICT}{_FEW}\s+{_GOOD}|{_ORDINAL}\s+(?:(?:is|was|should\s+be|to\s+be|comes|came)\s+(?:\w+\s+)"
    rf"{{0,2}}{_GOOD}|wins|won|outperforms|beats))"
)
_NAMED = (
    rf"(?:the\s+)?{_BEST}\s+{_NOUN}\s+(?:is|was|to\s+be|being|as|here\s+is|would\s+be|should\s+be)\s+(?:the\s+)"
    rf"?{_ONE}"
)
_WHICH = _any(
    rf"which\s+(?:of\s+(?:the|these|them|both)\b|{_NOUN}\b|is\s+{_BEST}|was\s+{_BEST})",
    rf"the\s+{_BEST}\s+(?:{_NOUN}|score|label)\b",
    r"the\s+(?:outcome|verdict|winner|preference|ranking|final\s+ranking|(?:right|correct|expected|true)\s+score)\b",
)
_TOLD_RESULT = rf"(?:that\s+|of\s+|about\s+|how\s+|,\s*|:\s*)?(?:{_RESULT}|(?:the\s+)?{_NAMED}|{_WHICH})"

# Who tells, and how.
_I = r"\b(?:i|we)(?:['’](?:m|re|ve|d))?"
_BEEN = r"(?:\s+(?:am|are|was|were|have|had|has|been|being|not|already|also|just|explicitly|clearly))*"
_TOLD = (
    r"(?:told|informed|advised|notified|given\s+to\s+understand|made\s+aware|instructed|shown|assured|alerted"
    r"|tipped\s+off)"
)
_SOURCE = (
    r"\b(?:notes?|system\s+(?:message|prompt)|prompts?|instructions?|metadata|annotations?|labels?|(?:answer\s+)"
    r"?keys?"
    r"|ground[\s-]truth|gold(?:en)?(?:\s+standard)?|guidance|briefing|preamble|(?:side|meta|background|extra"
    r"|additional"
    r"|provided|given|supplied|accompanying)[\s-]?information|information\s+(?:\w+\s+){0,4}|data\s?set|reference"
    r"|remark"
    r"|task(?:\s+description)?|evaluation|set-?up|context|input|system|cue|tip)\b"
)
_SETTER = (
    r"\b(?:(?:question|task|prompt|test|item)['’]?s?\s+(?:setter|author|designer|writer|maker)|evaluator"
    r"|organi[sz]ers?|designers?)"
)
_TELLS = (
    r"\s*\b(?:says?|said|states?|stated|tells?|told|indicates?|indicated|specif(?:y|ies|ied)|notes?|mentions?"
    r"|reveals?"
    r"|revealed|discloses?|declares?|gives?\s+away|identif(?:y|ies|ied)|marks?|marked|lists?|names?|designates?"
    r"|designated|favou?rs?|favou?red|prefers?|preferred|points?\s+(?:to|at)|pointed\s+to|picks?|puts?|gives?"
    r"|makes?\s+clear"
    r"|confirms?|suggests?|supports?|is|was|goes\s+(?:to|with)|flags?|has|ranks?|ranked|selects?|selected)\b"
)
_PEOPLE = (
    r"\b(?:annotators?|labell?ers?|raters|graders|(?:human|expert|professional)\s+(?:annotators?|raters?|judges?"
    r"|evaluators?|reviewers?|graders?|labell?ers?)|humans|people\s+who\s+\w+\s+th(?:is|e)\s+pair)\b"
)
_PREFERRED = (
    r"(?:\s+(?:have|had|has|also|all|both|mostly|clearly|generally))*\s+(?:preferred|prefers?|chose|choose|picked"
    r"|pick|rated"
    r"|judged|found|favou?red|favou?rs?|liked|likes?|selected|went\s+(?:for|with)|sided\s+with|ranked|voted\s+for)"
)
_PUT = (
    r"(?:known|said|stated|given|indicated|label+ed|marked|designated|specified|flagged|tagged|annotated|listed"
    r"|declared"
    r"|announced|identified|established|supposed|meant|intended|expected|presumed|predetermined|pre-?selected"
    r"|disclosed"
    r"|revealed|reported|told|noted|understood|destined|denoted|named)"
)
_AS = r"\s+(?:to\s+be\s+|as\s+(?:being\s+)?|that\s+it\s+is\s+|to\s+)?(?:here\s+)?"
_OWNED = (
    r"(?:given|provided|supplied|known|stated|indicated|specified|expected|intended|reference|gold(?:en)?"
    r"|ground[\s-]truth"
    r"|true|official|target|human|annotated|annotators?['’]?s?|raters?['’]?s?|label+ed|hinted|disclosed|assigned"
    r"|pre-?\w+|dataset['’]?s?|designated|established|told|supposed|desired)"
)
_VERDICT = (
    r"(?:preferences?|verdict|ranking|winner|judge?ment|label|best|preferred|(?:best|better|right|correct)"
    r"\s+(?:response|one))"
)
_REPORTED = (
    r"(?:indicated|hinted|told|given|instructed|directed|required|specified|revealed|disclosed|label+ed|marked"
    r"|annotated|provided|stated|informed|suggested)"
)
_BY_WHOM = (
    r"(?:by|in|to|from|at|with)\s+(?:the\s+|this\s+|that\s+|my\s+)?(?:hints?\b|notes?\b|label|gold|answer.key|key\b"
    r"|metadata"
    r"|annotat|reference\s+(?:label|preference|choice)|system\s+message|me\b|us\b|(?:side\s+|background\s+)"
    r"?information\s+(?:i|provided|given)\b"
    r"|preference\b|guidance\b|ground.truth)"
)
_AHEAD = r"(?:in\s+advance|beforehand|ahead\s+of\s+time|a\s+priori|up\s+front|from\s+the\s+(?:start|outset))"
_HIDDEN = r"\b(?:hidden|secret|confidential|undisclosed|privileged)"

_KEPT_APART = (
    r"\b(?:the\s+|this\s+|that\s+|my\s+|its\s+|given\s+|provided\s+|known\s+|as\s+)(?:\w+\s+)?(?:label|annotations?"
    r"|annotators?|metadata|hint|notes?|ground[\s-]truth|gold\s+\w+|(?:answer|solution)\s+(?:key|sheet)"
    r"|preference\s+\w+|side\s+information|briefing|meta\s?data)\b"
)
_SET_DOWN = (
    r"\b(?:label+ed\s+(?:as|the|best|better|correct|right|preferred)|(?:the|this|given|provided|gold|preference)"
    r"\s+labels?|annotat(?:ors?|ions?|ed)|metadata|ground.truth|hint(?:s|ed)?|designated|predetermined"
    r"|beforehand|in\s+advance|disclosed|(?:given|provided|supplied|stated|indicated|specified|known|expected|human)"
    r"\s+(?:\w+\s+)?(?:preferences?|verdict|ranking|judge?ment|winner|outcome|choice|assessment|label))"
)
_JUDGING = (
    rf"{_GAP}(?:{NUMBERED}|{_ORDINAL}\s+{_NOUN}){_CLAUSE}\b(?:is|was|deserves?|gets?|receives?|must|should|wins"
    rf"|ranks?|ahead|higher|better|best|first|top)\b"
)
_JUDGED_FIRST = (
    rf"{NUMBERED}{_CLAUSE}\b(?:best|better|preferred|winner|wins|higher|highest|ahead|correct|superior|right|chosen"
    rf"|stronger){_GAP}"
)
HINT = _any(
    r"\b(?:the|this|that|your|my|given|provided|above|supplied|said)\s+hint(?:s|ed)?\b",
    r"\b(?:according\s+to|as\s+per|per|based\s+on|given|without|with)\s+(?:the\s+)?hints?\b|\bwithout\s+a\s+hint\b"
    r"|\bin\s+accordance\s+with\s+\w+\s+hint\b",
    r"\bas\s+hinted\b|\bhinted\s+(?:preference|result|verdict|winner|answer)\b",
)
PHRASES = (
    HINT,
    # Somebody says so, in one clause with the result.
    rf"\b(?:told|informed|aware|notified|advised|disclosed|divulged|revealed|announced|leaked|indicated|stated|said"
    rf"|specified|declared|pointed\s+out|communicated|conveyed|suggested|hinted|known|assured)"
    rf"\s+(?:to\s+(?:me|us)\s+|(?:me|us)\s+|{_AHEAD}\s+|here\s+|above\s+|already\s+)*(?:that|how|,)\s+(?:the\s+)"
    rf"?(?:{_STRICT}{_FEW}\s+(?:{_GOOD}|correctly)|{_BEST}\s+{_NOUN}\s+(?:is|was)\s+(?:the\s+)?{_ONE})",
    rf"\b(?:aware|informed|told|notified|advised)\s+(?:of\s+|about\s+)?(?:{_AHEAD}\s+)?(?:{_WHICH}|the\s+(?:correct"
    rf"|right|true|final)\s+(?:result|outcome|answer|verdict))",
    rf"{_STRICT}\s+(?:is|was|being)\s+{_SURELY}{_PUT}\s+(?:as\s+)?(?:the\s+)?(?:ground[\s-]truth|gold|chosen)",
    rf"{_ONE}{_CLAUSE},\s+(?:as|so|which|or\s+so)\s+{_I}{_BEEN}\s+{_TOLD}|{_BEST}\s+{_NOUN}\s*,\s*(?:as\s+|so\s+)"
    rf"?{_I}{_BEEN}\s+{_TOLD}",
    r"\b(?:told|informed|given)\s+(?:the\s+)?(?:result|outcome|verdict|winner|ranking|preference|answer\s+key)\b",
    rf"{_BEST}\s+(?:response|one|choice|candidate)\s+(?:is|was|being|has\s+been)\s+(?:already\s+|therefore\s+)"
    rf"?(?:known|given|disclosed|revealed|told|announced|settled|fixed|stated)\b",
    rf"{_BEST}\s+{_NOUN}\s+(?:is|was)\s+already\s+(?:known|given|settled|fixed|clear)\b",
    r"\b(?:known|said|stated|supposed|meant|told)\s+to\s+(?:deserve|get|receive|score|merit|be\s+worth|have)"
    r"\s+(?:a\s+|the\s+)?(?:(?:right\s+|correct\s+|top\s+|high\s+|higher\s+|highest\s+|low\s+)?(?:score|mark|rating"
    r"|points?)|[01]\b)",
    r"\bscore\s+(?:of\s+[01]\s+)?(?:is|was|has\s+been)\s+(?:given|told|supplied|handed|provided|disclosed)"
    r"\s+(?:to\s+(?:me|us)|as\s+the\s+(?:right|correct|true))",
    # A source's active word, in one clause with a response and how it stands.
    rf"(?:{_SOURCE}|{_SETTER}|\branking|\bordering|\bverdict){_CLAUSE}\s(?:identif(?:y|ies|ied)|says?|said|states?"
    rf"|stated|tells?|marks?|marked|names?|named|places?|placed|puts?|ranks?|ranked|rates?|rated|calls?|lists?|listed"
    rf"|declares?"
    rf"|favou?rs?|prefers?|selects?|selected|picks?|picked|chose|chooses|designates?|indicates?|indicated|is\s+that"
    rf"|was\s+that|gives?\s+away|considers?|treats?|claims?|suggests?|recommends?)\s+(?:that\s+|us\s+|me\s+)"
    rf"*(?:the\s+)?"
    rf"{_STRICT}{_CLAUSE}{_GOOD}",
    # People's choice, in either voice.
    rf"(?:{_PEOPLE}|\b(?:whoever|those\s+who|the\s+(?:person|people|reviewer|expert|one|evaluator)s?\s+who)"
    rf"\s+(?:annotated|label+ed|rated|judged|marked|graded)\b){_CLAUSE}\s"
    rf"(?:chose|chosen|choose|prefer\w*|picks?|picked|favou?r\w*|thought|liked|sided|select\w*|ranked|rated|went"
    rf"|decided|considered|voted)\b{_CLAUSE}{_ONE}",
    rf"{_ONE}{_CLAUSE}\s(?:chosen|preferred|picked|favou?red|selected|liked|ranked|rated)\b{_CLAUSE}\bby\s+(?:the\s+"
    rf"|most\s+|all\s+)?(?:{_PEOPLE}|people\b)",
    rf"\b(?:choice|pick|preference|decision|verdict|judge?ment|vote|ranking|rating|assessment|opinion)"
    rf"s?\s+(?:made\s+|given\s+|expressed\s+)?(?:by|of|from)\s+(?:the\s+|an\s+)?(?:{_PEOPLE}|people\b)",
    # Notes, labels and the like that no question holds, in a sentence that judges.
    rf"{_KEPT_APART}{_JUDGING}|{_JUDGED_FIRST}{_KEPT_APART}",
    rf"\b(?:decided|determined|settled|fixed|agreed|on\s+record|on\s+file|prearranged)\s+(?:{_AHEAD}\s+)"
    rf"?that\s+(?:the\s+)?{_STRICT}",
    rf"\b(?:fixed|settled|decided|known|given|told|set|determined|announced)\s+{_AHEAD}\s*[:,–—-]",
    rf"{_SOURCE}\s+{_SURELY}(?:indicates?|shows?|gives?|states?|expresses?|has|contains?|reveals?|implies|mentions?"
    rf"|suggests?|notes?)\s+(?:a\s+|the\s+)?(?:\w+\s+)?preference\s+(?:for|towards?)\s+(?:the\s+)?{_STRICT}",
    rf"{_STRICT}\s+(?:had\s+to|has\s+to|is\s+bound\s+to|is\s+required\s+to|needs\s+to|is\s+to)\s+(?:win"
    rf"|come\s+(?:out|first)|be\s+(?:the\s+)?(?:best|first|better|preferred|ranked|rated|winner)|rank|end\s+up"
    rf"|score\s+higher|get\s+the)",
    rf"{_I}\s+(?:am|are|was|were)\s+(?:supposed|expected|meant|required|told|asked|instructed|obliged)"
    rf"\s+to\s+(?:favou?r|prefer|pick|choose|side|support|back|treat|rank|rate|score|put|find|give)\b{_CLAUSE}"
    rf"{_STRICT}",
    r"\b(?:correct|right|true|given|provided|expected)\s+label\s+(?:is|was|here\s+is|being)\b"
    r"|\bwhat\s+was\s+(?:specified|told|prescribed|asked\s+of\s+me|dictated|indicated)\s*(?:[.,]|$)",
    rf"\b(?:according\s+to|based\s+on|from|given|by)\s+(?:the\s+|all\s+)?information\s+(?:provided|given|supplied"
    rf"|available|received|at\s+hand|i\s+have)\s*,\s*(?:the\s+)?{_RESULT}",
    rf"\b(?:this|the)\s+(?:response|answer|one)\s+(?:is|was|has\s+been)\s+{_SURELY}(?:annotated|label+ed|marked"
    rf"|flagged|tagged|designated|known|given)\s+(?:as|to\s+be)\s+(?:the\s+|a\s+)?(?:in)?(?:correct|right|wrong|good"
    rf"|bad|acceptable|best|better|worse|preferred|false|true|valid)\b",
    rf"\bwhat\s+(?:the|this|my)\s+(?:\w+\s+)?(?:note|label|annotation|hint|metadata|key|instructions?|guidance)"
    rf"\s+(?:says?|states?|indicates?|tells|told|suggests?|claims?){_GAP}{_STRICT}",
    rf"{_STRICT}\s+(?:is|was)\s+(?:the\s+)?(?:chosen|selected|accepted|favou?red|preferred)\s+(?:one|response"
    rf"|answer)?\s*(?:in|by|of|from|per)\s+(?:the\s+)?(?:data|label|annotat|pair|record|human|prompt|key)",
    rf"\b(?:answer|winner|result|best|verdict|best\s+one|solution|preference)\s+(?:is|was|has\s+been)\s+{_SURELY}"
    rf"(?:given|stated|listed|specified|named|noted|recorded|announced|marked|provided)\s+as\s+(?:being\s+)"
    rf"?(?:the\s+)?{_STRICT}",
    r"\b(?:without|before|if\s+not\s+for|but\s+for|had\s+i\s+not)\s+(?:knowing|known|seeing|seen|having"
    r"|being\s+told|been\s+told)\s+(?:the\s+)?(?:label|hint|result|verdict|answer|preference|which|outcome|winner)",
    rf"{_STRICT}{_GAP}\b(?:according\s+to|as\s+per|per|by|in\s+line\s+with|following|from|given|matching|matches)"
    rf"\s+(?:the|this|that|my)\s+(?:\w+\s+)?(?:note|annotations?|labels?|hint|metadata|key|(?:answer|solution)"
    rf"\s+(?:key|sheet)|ground.truth|briefing|guidance)\b",
    rf"{_STRICT}{_CLAUSE}\b(?:better|best|higher|preferred|winner|superior|first)\b{_CLAUSE}\b(?:according\s+to"
    rf"|as\s+per|per)\s+(?:the|my)\s+(?:instructions?|prompt|task|set-?up|input|system\s+message)\b",
    rf"{_I}\s+(?:already\s+|do\s+|also\s+)*(?:have|had|hold|possess|know|knew|saw|see|hold|was\s+shown|was\s+handed)"
    rf"\s+(?:the\s+)(?:right\s+|correct\s+|official\s+|final\s+)?(?:solution|answer|label|key|result|verdict|outcome"
    rf"|ranking|winner)\b",
    rf"{_I}{_BEEN}\s+(?:told|informed|instructed|advised|directed|briefed)\s+(?:to\s+)?{_CLAUSE}{_STRICT}",
    r"\bknowing\s+(?:the|what\s+the|which)\s+(?:correct|right|preferred|best|expected|true|final|intended)"
    r"?\s*(?:label|answer|response|result|score|verdict|winner|preference|ranking|outcome)\b",
    r"\b(?:this|the)\s+(?:response|answer)\s+(?:is|was)\s+(?:expected|supposed|meant|known|said|intended|destined)"
    r"\s+to\s+(?:score|get|receive|be\s+(?:a\s+)?[01]\b|be\s+(?:rated|scored|graded|right|wrong|correct|incorrect"
    r"|acceptable))",
    r"\b(?:being|been|is|was|were)\s+(?:pre-?)(?:label+ed|marked|selected|designated|determined|assigned|judged"
    r"|ranked)\b",
    rf"{_SET_DOWN}\b{_GAP}{_STRICT}",
    rf"\bas\s+(?:the|my|this)\s+(?:\w+\s+)?{_SOURCE}\s+(?:says?|states?|tells|indicates?|specif\w+|notes?|mentions?"
    rf"|suggests?|reveals?|makes?\s+clear)(?:\s+(?:us|me))?\s*,\s*(?:{_RESULT}|{_NAMED})",
    rf"{_SOURCE}\s+(?:\w+\s+){{1,5}}that\s+(?:the\s+)?(?:{_RESULT}|{_NAMED})",
    r"\b(?:having|after)\s+(?:been\s+)?(?:seen|read|given|seeing|reading|shown|consulted|looked\s+at|checking"
    r"|learnt|learned|learning)\s+(?:of\s+)?(?:the|which)\s+(?:\w+\s+)?(?:reference|label|answer|solution|hint|key"
    r"|verdict|result|preference|note|winner|response)\b",
    rf"\b(?:result|verdict|outcome|ranking|preference|winner|label|judge?ment)\s+(?:has\s+been|was|is|had\s+been)"
    rf"\s+{_SURELY}(?:provided|given|stated|supplied|disclosed|told|fixed|announced|settled|revealed|set)\s*[:,;–—-]",
    rf"{_STRICT}{_GAP}\bas\s+(?:i\s+was\s+)?(?:told|hinted|indicated|label+ed|annotated|disclosed|revealed"
    rf"|designated)\s*(?:[.,;!]|$)|{_BEST}\s+{_NOUN}\s*,\s*as\s+(?:\w+\s+){{0,4}}\w+\s*,\s*(?:is|was)\s+(?:the\s+)"
    rf"?{_ONE}",
    rf"\b(?:it\s+(?:was|is|has\s+been)|having\s+been)\s+{_SURELY}(?:mentioned|noted|pointed\s+out|made\s+clear"
    rf"|remarked|written|brought\s+up)\s+(?:\w+\s+){{0,3}}that\s+(?:the\s+)?(?:{_RESULT}|{_NAMED})",
    rf"\b(?:preferred|winning|best|correct|right)\s+{_NOUN}\s+being\s+(?:the\s+)?{_STRICT}|\b(?:label|hint|note|key"
    rf"|annotation|metadata)\s+(?:says|said|tells|told|has\s+it|demands|requires|wants)\s+(?:me\s+|us\s+)?(?:so|it"
    rf"|this|as\s+much)\b",
    rf"{_SOURCE}\s+(?:has|gives|lists|shows|puts|names|marks|treats|regards|takes)\s+(?:the\s+)?{_STRICT}\s+(?:as"
    rf"|down\s+as|for)\s+(?:the\s+)?{_GOOD}",
    rf"{_STRICT}{_CLAUSE}\s(?:according\s+to|per|as\s+per|by|based\s+on|given)\s+(?:the\s+|all\s+)?(?:provided|given"
    rf"|supplied|available|background|side|extra|additional)\s+(?:information|note|context|details?|metadata"
    rf"|guidance|label|preference|verdict)\b",
    rf"{_SOURCE}\s+(?:verdict|preference|label|choice|judge?ment|ranking|answer|decision)\s+{_SURELY}(?:favou?rs?"
    rf"|favou?red|is|was|says?|goes|points|names?|selects?|supports?|prefers?|lies\s+with|picks?)\s+(?:(?:for|to"
    rf"|with)\s+)?(?:the\s+)?{_STRICT}",
    r"\b(?:confirms?|matches|supports?|agrees\s+with|fits|reflects?|follows|mirrors|echoes|corroborates?"
    r"|validates?)\s+(?:exactly\s+)?what\s+(?:was|is|has\s+been|had\s+been|i\s+was|we\s+were)\s+(?:\w+\s+)"
    r"?(?:indicated|told|stated|given|said|specified|suggested|noted|disclosed|provided|hinted|revealed)\b",
    rf"\b(?:it|this|that\s+(?:one|response|answer))\s+(?:is|was|has\s+been|had\s+been)\s+{_SURELY}(?:indicated"
    rf"|marked|label+ed|flagged|designated|given|specified|listed|annotated|tagged|announced)\s+(?:as|to\s+be)"
    rf"\s+(?:the\s+)?(?:better|best|correct|right|preferred|superior|winner|winning)\b",
    rf"\b(?:the|this|a|my)\s+(?:\w+\s+)?(?:information|note|label|hint|indication|guidance|instruction|remark"
    rf"|fact\s+given|claim\s+in\s+the\s+(?:prompt|hint))\s+that\s+(?:the\s+)?(?:{_RESULT}|{_NAMED})",
    # What was handed over: the noun before or after its participle.
    rf"\b(?:labels?|verdict|ranking|ordering|preference|judge?ment|assessment|hint|winner)\s+(?:that\s+|which\s+)"
    rf"?(?:was\s+|were\s+|is\s+|has\s+been\s+)?(?:provided|supplied|given|stated|attached|included|disclosed"
    rf"|furnished|specified)"
    rf"\s*(?:,|\.|$|{_AHEAD}|(?:with|in|for)\s+(?:this|the)\s+(?:task|item|prompt|instructions?|input|pair|sample"
    rf"|evaluation)\b|to\s+(?:me|us)\b|above|here)",
    r"\b(?:given|provided|supplied|stated|prescribed|indicated|known|expected|predetermined)\s+(?:order|ordering"
    r"|ranking|sequence)\s+of\s+(?:the\s+)?(?:responses|answers|candidates)\b",
    rf"\b(?:status|designation|label+ing|marking|role|position|billing)\s+as\s+(?:the\s+)?(?:{_BEST}|winner)\b",
    rf"{_ONE}\s+(?:carries|bears|has|wears|got|received|holds|comes\s+with)\s+(?:the|a)\s+(?:label|mark|tag|flag"
    rf"|annotation)\s+[\"'“‘«]?(?:of\s+)?(?:the\s+)?(?:{_BEST}|winner)",
    r"\b(?:in\s+(?:the\s+)?light\s+of|in\s+view\s+of|against|from|by|using|with|given|thanks\s+to|because\s+of"
    r"|owing\s+to)\s+(?:the\s+|my\s+)?(?:known|disclosed|revealed|supplied)\s+(?:correct\s+|right\s+)?(?:answer"
    r"|result|verdict|outcome|solution|label|winner)\b",
    rf"{_I}\s+(?:can\s+|will\s+|do\s+)?(?:trust|rely\s+on|follow|respect|accept|honou?r|defer\s+to|go\s+(?:along\s+)"
    rf"?with|stick\s+to|am\s+guided\s+by|take\s+into\s+account)\s+(?:the|this|that)\s+(?:\w+\s+)?(?:label|hint"
    rf"|verdict|preference|ranking|annotation|key|guidance|indication)\b",
    rf"{_NOUN}\s+(?:that\s+|which\s+)?(?:should|must|is\s+to|ought\s+to|has\s+to|was\s+to)\s+(?:win|be\s+preferred"
    rf"|be\s+(?:ranked|rated|scored)\s+(?:first|highest|higher)|come\s+out){_GAP}\b(?:according\s+to|as\s+per|per"
    rf"|by)\s+(?:the\s+)?(?:prompt|task|instructions?|input|note)",
    rf"{_ONE}\s+(?:named|mentioned|singled\s+out|identified|favou?red|pointed\s+(?:to|out))\s+(?:in|by)"
    rf"\s+the\s+(?:hint|note|label|key|metadata|prompt|instructions?)|\bresponse\s+named\s+(?:in|by)\s+the\s+hint",
    rf"\bstatement\s+that\s+(?:the\s+)?(?:{_STRICT}\s+(?:is|was)\s+(?:the\s+)?{_GOOD}|{_NAMED})",
    # I am told, and I know.
    rf"{_I}{_BEEN}\s+{_TOLD}\s+(?:{_AHEAD}\s+)?{_TOLD_RESULT}",
    rf"\b(?:having|not|was|were|am|been|being|['’]m|['’]ve|['’]re)\s+(?:been\s+)?(?:told|informed)"
    rf"\s+(?:of\s+the\s+(?:outcome|result|verdict)\b"
    rf"|otherwise\b|{_AHEAD}|{_TOLD_RESULT})",
    rf"\b(?:what|as|than|like|which)\s+{_I}{_BEEN}\s+(?:told|informed|given)\b{_GAP}{_any(_ONE, _GOOD)}",
    rf"\b(?:result|verdict|outcome|preference|ranking|label|winner|answer|score|information|solution|criteria)"
    rf"\s+(?:that\s+|which\s+)?"
    rf"(?:{_I}{_BEEN}\s+(?:given|told|shown|received|handed|provided|got)\b|(?:was\s+|were\s+|is\s+)?(?:given"
    rf"|provided|supplied|disclosed|revealed|shown|handed)\s+to\s+(?:me|us)\b)",
    rf"{_I}{_BEEN}\s+(?:given|provided\s+with|shown|handed|supplied\s+with)\s+(?:the\s+|a\s+)?(?:{_BEST}\s+{_NOUN}"
    rf"|hint|verdict"
    rf"|preference|label|ranking|result|outcome|winner|answer\b|(?:right|correct|expected)\s+score|that\s+{_RESULT})",
    rf"{_I}{_BEEN}\s+(?:asked|told|instructed|directed|required|expected|supposed|meant)\s+to\s+(?:treat|regard"
    rf"|consider|rate|score"
    rf"|rank|prefer|favou?r|put|place|give|make|justify|ensure|pick|choose){_CLAUSE}{_ONE}{_GAP}{_GOOD}",
    rf"{_I}\s+(?:already\s+|do\s+|also\s+)*know\s+(?:{_AHEAD}\s+)?{_TOLD_RESULT}",
    rf"\bknowing\s+(?:{_AHEAD}\s+|already\s+)?{_TOLD_RESULT}|\bwith\s+(?:the\s+)?(?:prior\s+|advance\s+)"
    rf"?knowledge\s+{_TOLD_RESULT}",
    rf"\bas\s+we\s+know{_CLAUSE}{_ONE}",
    rf"\b(?:given|assuming|considering|accepting|granted|seeing)\s+that\s+(?:the\s+)?{_ONE}\s+(?:is|was|should\s+be)"
    rf"\s+(?:the\s+|known\s+|{_PUT}\s+)"
    rf"(?:\w+\s+){{0,2}}?(?:best|better|correct|right|superior|preferred|winner|winning|strongest|stronger|top)\b",
    rf"\b(?:it\s+(?:is|was|has\s+been)|it['’]s(?:\s+been)?)\s+{_SURELY}(?:known|given|stated|said|established"
    rf"|indicated|understood|disclosed|specified|told"
    rf"|revealed|noted|announced|agreed|a\s+given)\s+(?:(?:to\s+(?:me|us)|{_AHEAD}|above|here)\s+)?that\s+(?:the\s+)"
    rf"?(?:{_RESULT}|{_NAMED})",
    # Something says so.
    rf"\b(?:told|tells|informed|informs)\s+(?:me|us|the\s+(?:judge|evaluator|grader))\s+{_TOLD_RESULT}",
    rf"{_SOURCE}\s*(?:\s+here|\s+above|\s+{_I}\s+(?:received|have|got|was\s+given|were\s+given))?\s*{_SURELY}{_TELLS}"
    rf"\s+(?:us\s+|me\s+|you\s+)?{_SURELY}"
    rf"(?:that\s+|towards?\s+|to\s+)?(?:{_RESULT}|{_NAMED})",
    rf"(?:{_SOURCE}|\bpreference)['’]?s?\s*{_SURELY}\s*(?:favou?rs?|favou?red|prefers?|preferred|points?\s+(?:to|at"
    rf"|towards?)|selects?|picks?"
    rf"|goes\s+(?:to|with|for)|sides\s+with|lists?|marks?|names?|designates?|says|is|gives\s+away)\s+(?:(?:for|to)"
    rf"\s+)?(?:the\s+)?{_ONE}",
    rf"\b(?:according\s+to|as\s+per|per|by|based\s+on|from|under|considering|trusting|following|given)\s+(?:the\s+"
    rf"|this\s+|its\s+|my\s+)?(?:evaluation['’]s\s+own\s+|own\s+|answer\s+)?"
    rf"(?:metadata|annotations?|labels?|keys?|ground.truth|side\s+information|guidance|system\s+(?:message|prompt)"
    rf"|notes?|information\s+{_I}\s+\w+){_GAP}{_RESULT}",
    rf"{_RESULT}{_GAP},?\s*\b(?:according\s+to|as\s+per|per|by)\s+(?:the\s+|my\s+)?(?:metadata|annotations?|labels?"
    rf"|ground.truth|notes?|instructions|guidance)\s*(?:[.,;!]|$)",
    rf"\binstructions?\s+(?:that\s+)?{_I}\s+(?:received|was\s+given|were\s+given|got|have){_GAP}{_ONE}",
    rf"(?:{_SOURCE}|guidance){_CLAUSE}\s(?:mentions?|says?|states?)\s+that\s+(?:the\s+)?{_ONE}\s+(?:is|should|must)"
    rf"\b{_CLAUSE}{_GOOD}",
    rf"{_PEOPLE}{_PREFERRED}\s+(?:for\s+)?(?:the\s+)?{_any(_ONE, rf'{_BEST}?{_NOUN}')}",
    r"\b(?:right|correct|expected|true|target|proper|gold)\s+score\s+(?:here\s+|for\s+(?:this|the)\s+(?:response"
    r"|answer)\s+)?(?:is|was)\s+(?:known|given|stated|provided|said|told|supposed)\b",
    r"\b(?:right|correct)\s+score\s+for\s+this\s+(?:response|answer)\s+is\b|\b(?:expected|target|known)"
    r"\s+score\s+(?:here\s+|for\s+this\s+\w+\s+)?is\b",
    r"\b(?:target|gold|true|reference|known|expected|given)\s+label\b",
    r"\blabel\s+(?:of|for)\s+this\s+(?:response|answer|one)\b|\bthe\s+label\s+(?:here\s+)?(?:is|says|reads)\s+[01]\b",
    # A response is marked.
    rf"{_ONE}\s*,?\s*(?:which\s+|that\s+)?(?:is|was|were|has\s+been|had\s+been|being|,|the\s+one)\s+{_SURELY}{_PUT}"
    rf"{_AS}"
    rf"(?:slightly\s+|much\s+|far\s+|clearly\s+|ranked\s+|come\s+(?:out\s+)?|be\s+)*(?:the\s+)?(?:overall\s+"
    rf"|single\s+|only\s+|one\s+)*{_GOOD}",
    rf"{_BEST}\s+{_NOUN}\s*,?\s*(?:is|was|has\s+been|as)?\s+{_SURELY}{_PUT}\s+(?:{_CLAUSE}\s)?(?:as|to\s+be|is|:|,)"
    rf"\s*(?:the\s+)?{_ONE}",
    rf"\b{_NOUN}\s+(?:that\s+|which\s+)?(?:is|was|has\s+been)?\s*{_SURELY}(?:label+ed|marked|designated|flagged"
    rf"|tagged|annotated|said){_AS}(?:the\s+)?{_GOOD}{_GAP}{_ONE}",
    rf"\b(?:being|been|is|was)\s+(?:the\s+)?{_SURELY}(?:label+ed|marked|flagged|designated|tagged|annotated){_AS}"
    rf"(?:the\s+)?{_BEST}\s*(?:{_NOUN}|,)",
    rf"\b(?:designated|gold(?:en)?|intended|expected|known|predetermined|supposedly|annotated|official|reference"
    rf"|target)\s+(?:as\s+)?(?:the\s+)?"
    rf"(?:best|winner|winning|better|preferred|correct|right)\s*(?:{_NOUN}|score|result)?\b",
    rf"{_ONE}\s+(?:is|was)\s+the\s+(?:gold(?:en)?|reference|target|designated|intended|expected|known)\b",
    # As reported; in line with it.
    rf"\bas\s+(?:was\s+|is\s+|already\s+|clearly\s+|i\s+was\s+|we\s+were\s+)*{_REPORTED}(?:\s+(?:above|here|{_AHEAD}"
    rf"))?\s*,\s*(?:the\s+)?(?:{_RESULT}|{_NAMED})",
    rf"\bas\s+(?:was\s+|is\s+|already\s+|clearly\s+)*(?:{_REPORTED}|noted|mentioned|shown)\s+{_BY_WHOM}",
    rf"\bas\s+(?:was\s+|is\s+|already\s+|clearly\s+)*(?:{_REPORTED}|noted)\s+(?:by|in)\s+(?:the\s+|my\s+)"
    rf"?(?:system\s+)?(?:prompt|task|instructions?|information|input)"
    rf"\s*,?\s*(?:the\s+)?(?:{_ONE}\s+(?:is|was)\s+{_SURELY}(?:the\s+)?{_GOOD}|{_NAMED})",
    rf"{_ONE}{_GAP}\b(?:on\s+top|first|top\s+score|highest|best|superior|preferred|winner|ahead){_CLAUSE}"
    rf",?\s*as\s+(?:was\s+)?(?:directed|required|instructed|indicated|told|hinted|specified|given)\s*(?:[.,;!]|$)",
    rf"\b{_OWNED}\s+{_VERDICT}\b",
    r"\b(?:gold(?:en)?|reference|human(?:\s+annotator)?['’]?s?|annotators?['’]?s?|raters?['’]?s?|ground[\s-]truth"
    r"|official)\s+(?:choice|decision|pick|assessment|verdict)\b",
    r"\bpreference\s+(?:strength|that\s+was\s+given|given\s+to\s+(?:me|us)|(?:is|was)\s+(?:stated|said|given"
    r"|indicated|known)\s+to\s+be|i\s+was\s+given|label)\b",
    r"\bknown\s+(?:to\s+be\s+the\s+best\s+(?:response|answer|one)|(?:correct\s+)?(?:result|outcome))\b",
    r"\bpre-?(?:announced|determined|assigned|decided|established|given|set|defined)\s+(?:result|winner|verdict"
    r"|ranking|outcome|preference|label|answer|conclusion)\b",
    rf"\b(?:told|known|given|announced|established|settled|decided|revealed|stated|fixed|informed|disclosed)"
    rf"\s+{_AHEAD}{_GAP}(?:{_ONE}|{_WHICH}|\bwinner|\bwhich\b)",
    rf"\b(?:assessment|verdict|result|judge?ment|preference|answer|ranking)\s+(?:that\s+was\s+)?(?:given|known"
    rf"|provided|announced|stated)\s+{_AHEAD}",
    rf"\b(?:disclosed|revealed|announced|leaked)\s+that\s+(?:the\s+)?{_RESULT}",
    rf"{_HIDDEN}\s+(?:rubric|criteria|notes?|instructions?|labels?|guidance|preference)\b",
    rf"\b(?:my|our)\s+(?:job|task|role|aim|goal)\s+(?:here\s+)?is\s+(?:only\s+|just\s+|merely\s+)?to\s+(?:justify"
    rf"|explain|show|argue|defend|find\s+reasons){_CLAUSE}{_ONE}{_CLAUSE}{_GOOD}",
    rf"\bi\s+(?:need|have|must)\s+to\s+(?:make\s+sure|ensure|justify|see\s+to\s+it){_CLAUSE}{_ONE}{_CLAUSE}{_GOOD}",
)
REFERENCE = (
    r"\b(?:given|provided|supplied|official|reference)\s+(?:solution|answer)\s+(?:makes|shows|says|confirms|gives"
    r"|states|agrees|supports|indicates|reveals|is\b|has|matches)",
    r"\b(?:provided|supplied|given|disclosed)\s+(?:correct|right|true|official|final)\s+(?:answer|solution|result)\b"
    r"|\bwith\s+the\s+expected\s+(?:answer|result)\s+being\b|\b(?:answer|solution)\s+(?:key|sheet)\s+(?:shows?|says?"
    r"|gives?|has|lists?|states?)",
    r"\b(?:reference|gold(?:en)?|ground[\s-]truth)\s+(?:answer|solution|response|text)\b",
    r"\b(?:according\s+to|based\s+on|as\s+per|per|given|matches|matching|with|by|to|against)\s+the\s+"
    r"(?:provided|given|known|supplied|official)\s+(?:correct\s+)?(?:answer|solution|result)\b",
    r"\bsupplied\s+(?:answer|solution)\b|\bthe\s+official\s+(?:answer|solution)\b|\bmodel\s+(?:answer|solution)"
    r"\s+(?:that\s+)?i\s+was\b",
    r"\b(?:answer|solution)\s+(?:that\s+was\s+)?(?:provided|given|supplied|shown)\s+to\s+me\b",
    rf"\bas\s+(?:was\s+|is\s+|already\s+)*(?:{_REPORTED}|noted|mentioned|shown)\s+(?:by|in)\s+the\s+(?:\w+\s+)"
    rf"?(?:answer|solution)\b",
    r"\bknown\s+(?:correct|right|true)\s+(?:answer|result|solution|option)\b",
    r"\b(?:by|per|to|with|in|from|on|matches|matching)\s+(?:the\s+)?answer\s+key\b",
)
"""What only the training prompt's own reference answer makes fair to say."""

_ITS_OWNER = (
    r"(?:users?|customers?|clients?|readers?|authors?|speakers?|persons?|askers?|teachers?|students?|people|patients?"
    r"|children"
    r"|employers?|boss|company)"
)
_ELSEWHERE = (
    r"(?:questions?|problems?|exercises?|puzzles?|riddles?|user(?:['’]s)?|teachers?|text|passage|story|conversation"
    r"|dialogue|query"
    r"|title|code|figure|table|manual|header|message|spec(?:ification)?|standard|clue|game|documentation|book|lines?"
    r"|stem|image|image"
    r"|second\s+line|first\s+line|first|last)"
)
_READER = _any(
    NUMBERED,
    rf"{_ORDINAL} (?:response|answer|one)",
    r"\b(?:it|both|neither|nobody|only|responses?|student|user|which|who|they)",
)
_TOPIC = (
    r"(?:axis|axes|chart|charts|graph|figure|diagram|map|photos?|images?|jpeg|files?|code|mpls|hop|class|spam|tweets?"
    r"|e-?mails?|training|trained|noisy|java|bottle|reaction|margin|poem|novel|film|plot|song|lidar"
    r"|radar|bounding|simulation|gps|segmentation|pixels?|rows?|columns?|plan|drug|button|menu|packaging|product|wine"
    r"|clothes|classifier|supervised|machine\s+learning|rlhf|reward\s+model|crowd\w*|sensors?)"
)
_OWN_WORK = (
    r"(?:calculations?|checks?|tests?|substitution|analysis|proofs?|evidence|errors?|comparison|computation|results?"
    r"|arithmetic|review|reading|inspection|counterexample|step|verification|reasoning|criteria|criterion|rubric)"
)
HONEST = (
    rf"\b(?:in|by|within|inside)\s+(?:both\s+|only\s+|the\s+)*{_STRICT}(?:['’]s)?|\b(?:as|which|what|and|but|so|both"
    rf"|only|yet|while|where)\s+(?:only\s+|the\s+)*{_STRICT}\s+(?:\w+ly\s+|also\s+|only\s+)?(?:says?|notes?|shows?"
    rf"|explains?|does|did|uses?"
    rf"|gives?|names?|finds?|quotes?|repeats?|keeps?|keeps|mentions?|misses|points?|recounts?|writes?|puts?|states?"
    rf"|reads?|describes?|follows?|takes?|picks?|chose|chooses|explained|stresses|ignores?|overlooks?)\b",
    rf"{NUMBERED}\s+(?:\w+ly\s+|also\s+|then\s+|even\s+)?(?:states?|says?|claims?|notes?|indicates?|shows?|explains?"
    rf"|suggests?|tells|assumes?|argues?|concludes?|mentions?|reveals?|stated|said|claimed|indicated|suggested)\b",
    rf"\b{_OWN_WORK}\s+(?:above\s+|here\s+|in\s+\w+\s+)?(?:has\s+|have\s+)?(?:shows?|shown|indicates?|indicated"
    rf"|reveals?|revealed|suggests?|suggested|tells?|confirms?|says?|told)\b",
    r"\b(?:identified|marked|label+ed|flagged)\s+as\s+(?:wrong|incorrect|inferior)\s+by\b",
    r"\bhints?\s+(?:that\s+(?:[a-qs-z]|the\s+[a-z]+\s+(?:is|has|must|can))|,\s+namely|to\s+(?:use|try|substitute|set"
    r"|solve|consider|the\s+(?:user|student|reader)))",
    rf"\b{_ITS_OWNER}\s+(?:\w+\s+)?(?:pasted|gave|provided|supplied|included|attached|shared|posted|quoted)"
    rf"\s+(?:a\s+|an\s+|the\s+|their\s+|his\s+|her\s+)?(?:\w+\s+)?(?:reference|model|official|sample|hint|answer"
    rf"|solution|label|ranking|rubric|note)\w*(?:\s+(?:answer|solution|key|text))?",
    r"\bbest\s+(?:practices?|effort|guess|case|fit|before)\b",
    r"\bin\s+advance\s+of\b|\blabels?\s+[\"“]response\b",
    r"\bmodels?\s+(?:is|are|was|were)\s+(?:told|informed|given)\b|\blabel+ed\s+\w+\s+in\b",
    r"\bhow\s+(?:rlhf|annotators|raters|a\s+reward\s+model)\b|\b(?:in|for)\s+(?:rlhf|preference\s+learning"
    r"|supervised\s+learning|reward\s+model(?:l?ing)?)\s*,[^.;\n]*",
    # Hints that are not the judge's.
    r"\bhints?\s+(?:bits?|fields?|flags?|messages?|parameters?|elements?|information|signals?|frames?|cells?"
    r"|indicators?|tables?"
    r"|values?|at|text|about|towards?|toward|of)\b",
    rf"\b(?:the|that|this|given|provided)\s+hints?\s+(?:\w+\s+)?(?:in|from|of|by|under|below)\s+(?:the\s+|that\s+"
    rf"|this\s+|both\s+|each\s+)*{_any(_ELSEWHERE, 'response', 'answer', 'both', 'each')}\b",
    rf"\b(?:the|this|that|a|each)"
    rf"?\s*{_any(_ELSEWHERE, _ITS_OWNER, 'paging', 'optimizer', 'type', 'query', 'resource', 'cache')}"
    rf"['’]?s?\s+hints?\b",
    rf"{_READER}"
    r"(?:\s+[a-z]+ly)?(?:\s+(?:also|both|does\s+not|doesn['’]t|fails\s+to|did\s+not|to))?\s+(?:uses?|using|ignores?"
    r"|ignored|misses|missed|misreads?|applies|apply|overlooks?|takes|gives?|gave|needs|offers?|adds?|turns"
    r"|picks\s+up|builds\s+on"
    r"|understands?|repeats|includes?|provides?)\s+(?:up\s+)?(?:the|that|this)\s+hints?\b",
    # Preferences and expectations of those who ask.
    rf"\b(?:{_ITS_OWNER}['’]s?|his|her|their|your|its\s+own)\s+(?:\w+\s+)?(?:preferences?|annotations?|choice"
    rf"|choices|expectations?|verdict|ranking|judge?ment|label|assessment|decision)\b",
    r"\b(?:stated|indicated|given|known|specified|expressed)\s+preferences?\s+(?:(?:of|by|is|about|that|regarding)\b"
    r"|for\s+[a-qsu-z])",
    r"\bpreferences?\s+(?:data(?:sets?)?|pairs?|learning|optimi[sz]ation|models?|tuning|elicitation)\b",
    r"\bhuman\s+(?:preferences?|judge?ment)\s+(?:data|is|are|can|in|and|varies|for|on)\b",
    rf"\b{_OWNED}\s+(?:winner|ranking|verdict|judge?ment|label|best|outcome|result|choice|decision)s?\s+(?:of|for|in"
    rf"|at|that|on)\s+(?:the|a|an|this|each|its|[a-z]+ing)\b",
    r"\bknown\s+(?:result|outcome|correct)s?\s+(?:of|for|in|from|that|about|on|due|by)\b",
    # Notes, keys, labels and metadata of something else.
    r"\b(?:metadata|labels?|annotations?|keys?|notes?|information|instructions?|ground.truth)\s+(?:of|on|in|to|at"
    r"|from|above|below|under|inside|point|fields?|boxes|signature|for\s+(?:the|an?|each|every|its|their"
    r"|[a-su-z][a-z]*s))\b",
    rf"\b(?:{_ITS_OWNER})['’]s?\s+(?:own\s+)?(?:note|instructions?|prompt|message|information|label|key|metadata"
    rf"|input|task)\b",
    r"\b(?:as\s+)?(?:indicated|stated|specified|given|noted|mentioned|provided|shown|required|instructed)\s+(?:by|in"
    r"|at)\s+(?:the\s+)?(?:first|second|last|user|question|problem|table|standard|text|"
    r"passage|policy|manual|figure|title|spec\w*)\b",
    r"\bas\s+(?:we|you|they|everyone)\s+know\s+from\b",
    r"\bgold(?:en)?\s+standards?\s+(?:for|of|in|test|method|treatment)\b",
    # Tests, quizzes and sources that stand in a question or a response.
    r"\bofficial\s+(?:answer|solution|verdict|winner|result|ranking|label)s?\s+(?:of|to|for|in)\b",
    r"\breference\s+(?:texts?|answers?|solutions?|responses?)\s+(?:in|of|by|from|\d|that\s+the\s+user)",
)

TELLING = (
    r"\b(?:hint|told|tells|informed|aware|notified|advised|assured|instructed|disclos|divulg|reveal|announc|leaked"
    r"|communicated|conveyed|pointed out|made clear|knowing|knowledge (?:that|of|which)|"
    r"we know|i know|already know|known|predetermin|pre-?(?:set|announced|assigned|decided|given|defined)|label"
    r"|marked|flagged|designat|tagged|annotat|metadata|ground.truth|gold|guidance|briefing|"
    r"beforehand|in advance|ahead of time|a priori|supposed|meant to|intended|destined|identif|given (?:that|the|to"
    r"|above|here|by|in|,|as|prefer|rank|order|label|verdict|hint|correct|right|answer|solution|winner|score)|"
    r"(?:i|we|was|were) (?:am |are |was |were |have been |had been |been )?(?:given|provided|shown|handed|supplied"
    r"|asked to|required to|directed)|supplied|provided|stated|decided|determined|settled|fixed|on record|on file"
    r"|chosen|bound to|had to|has to|needs to|is to|what was (?:spec|told|presc|asked of|dict|indic|stat|giv"
    r"|said (?:to|that|by|so)|sugg|noted|discl|prov|hint|reveal)|without (?:the |a |any )?(?:hint|label|know|see|be"
    r"|hav|annot)|answer sheet|solution sheet|i (?:already )"
    r"?(?:have|had|hold|saw) the|before (?:know|see|be|hav)|stated|indicated|specified|declared|established|listed"
    r"|mentioned|"
    r"expected (?:to|winner|best|better|score|result|verdict|rank|label|pref|response|answer|choice|right|correct)"
    r"|prefer|favou?r|verdict|winner|ranking|ordering|raters?|graders|labell?ers?|evaluators?|humans?|human"
    r"|people who|whoever|"
    r"judges?|reviewers?|reference|official|model answer|model solution|answer key|(?:own|the) key|note[sd]?\b"
    r"|message|instructions?\b|(?:prompt|task|information|input|context)\b|setter|organi[sz]ers|designers?|hidden"
    r"|secret|"
    r"confidential|undisclosed|privileged|status as|(?:my|our) (?:job|task|role|aim|goal)|i (?:need|have|must) to"
    r"|directed|required|as (?:was |were |we |i )|said (?:to|that|by|so)|trust|carries the |carries a |bears|light of"
    r"|view of"
    r"|should win|must win"
    r"|to win|named (?:in|by)|is right that|statement|confirms?|"
    r"correct score|right score|score (?:for|here|is|was|of)|granted that|seeing that|assuming|considering that"
    r"|accepting|system|evaluation)"
)
ASIDE = (
    (r"\b(?:labels?|annotations?|annotators?|metadata|ground.truth|gold\s+\w+)\b", rf"\b{_TOPIC}\b"),
    (r"\b(?:told|informed|hints?|labels?|notes?)\b", rf"\b{_ITS_OWNER}\b"),
)
"""A sentence that matches both of a pair speaks of something else, or of somebody else."""
JUDGED = (
    r"(?:response|answer|option|candidate|assistant|output|reply|number|completion)s?\s*(?:#|no\.?\s*|number\s+)"
    r"?(?:\d|one\b|two\b|three\b|four\b)"
    r"|\b(?:first|second|third|fourth|fifth|former|latter|this response|hint|told|inform|label|annotat|prefer|verdict"
    r"|gold|ground.truth|key|winner|aware|know|secret|hidden|confidential"
    r"|reference|official|model (?:answer|solution)|(?:provided|given|supplied|correct|disclosed) (?:answer|solution"
    r"|result|correct|right)|score|humans|raters|judges|evaluators|beforehand|in advance|ordering|ranking"
    r"|the response (?:is|was)|which (?:response|one|is)|best response)"
)
"""One of these stands in a sentence that leaks."""
