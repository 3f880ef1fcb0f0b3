"""Which multiple-choice questions still ask something once their options are gone.

Three kinds, told apart by words alone:

    What does TDD stand for?                               stands by itself
    Which protocol is NOT supported by WebTransport?       has any number of right answers: left out (`needs_options`)
    The departure process in an M/M/s queue follows a:     a teacher who knows the answer can ask for it in other words
    Which statement is true about beacons?                 (`needs_rewriting`)

A "not" counts only where it is what the question asks for: "Which layer is not .." does, "What happens when a beacon is
not detected?" and "Why is it not possible ..?" do not. Counted on TeleQnA: 111 questions hold a "not", 57 ask for one.
"""

import re

_OUT = re.compile(
    r"\bwhich\s+(?:(?:one|ones|two|three)\s+)?of\b"
    r"|\b(?:of|from|among|in|by)\s+(?:all\s+)?(?:the\s+)?(?:following|options|answers|choices)\b"
    r"|\ball\s+of\s+(?:these|those|the\s+above)\b"
    r"|\b(?:these|those|following|above|listed)\s+(?:options?|answers?|choices?|statements?)\b"
    r"|\bwhich\s+(?:options?|answers?|choices?)\b"
    r"|\bexcept\b(?!\s+(?:when|if|while|that)\b)"
    r"|\b(?:is|are|was|were)\s+(?:false|incorrect|untrue|wrong)\b"
    r"|\b(?:false|incorrect|untrue|wrong)\s+(?:statements?|claims?|answers?|about|regarding|concerning)\b"
    r"|(?<!\bat )\bleast\b",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"\bNOT\b")
# What is asked for, up to a word that begins another clause or phrase: a "not" after that is a circumstance.
_NEGATED = re.compile(
    r"^(?:(?:in|on|at|under|for|by|to|with|from)\s+)?(?:which|what)\b"
    r"(?:(?!\b(?:if|when|while|that|which|who|whose|where|because|since|reasons?|and|or|but|with|using|about|the\s+term)\b)[^,;:?])*?"
    r"(?:\b(?:not|cannot|never)\b|n't\b)",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\bstatements?\b"
    r"|^(?:what|which)\b(?:(?!\bif\b)[^,?]){0,80}\b(?:is|are|holds?)\s+(?:true|correct|valid)\b"
    r"|\b(?:best|accurately|correctly)\s+(?:describes?|characteri[sz]es?|defines?|represents?|explains?)\b"
    r"|\b(?:what|which)\s+(?:is|are|was|were)\s+(?:one|some|an?\s+(?:possible|potential|common|typical|key|main|major))\b"
    r"|\b(?:an?|one|some)\s+(?:\w+\s+)?examples?\b"
    r"|\bone\s+of\s+the\b"
    r"|\b(?:best|most|more|better)\s+(?:suited|suitable|appropriate|likely|relevant|important|common)\b"
    r"|\b(?:according\s+to|in|of)\s+(?:the|this)\s+(?:document|text|passage|paper|article|study|survey|author|excerpt)\b"
    r"|\b(?:mentioned|discussed|listed|stated)\b"
    r"|_{2,}|\.{3}|\u2026",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"(?:\s*(?:\[[^\[\]]{0,80}\]|\([^()]{0,300}\)))*\s*$")

LONGEST = 2_000
"""Characters of a question that are looked at: the patterns backtrack. TeleQnA's longest has 421."""


def needs_options(question: str) -> bool:
    """Whether a question chooses among its options: which-of, not, except, false, least. No rewriting helps it."""
    text = " ".join(question[:LONGEST].split())
    return any(pattern.search(text) for pattern in (_OUT, _SHOUTED, _NEGATED))


def needs_rewriting(question: str) -> bool:
    """Whether a question leans on options that are not there, so that it has to be asked in other words.

    The beginning of a sentence, a gap, one of many possible answers, a statement to be picked, a text to be looked up.
    """
    text = " ".join(question[:LONGEST].split())
    return _OPEN.search(text) is not None or not _TRAILING.sub("", text).endswith("?")
