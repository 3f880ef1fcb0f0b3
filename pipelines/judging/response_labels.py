"""The names of responses in a list of scores: "Response 2", "the first answer", 回答3, #4.

This module needs nothing but Python 3.10. It is a part of the published `rewards.py`.
"""

RESPONSE_WORDS = (
    r"responses?|resp\.?|answers?|assistants?(?:'s)?|candidates?|options?|replies|reply|completions?|outputs?|models?"
    r"|antwort(?:en)?|r[ée]ponses?|respuestas?|respostas?|rispost[ae]|antwoord(?:en)?|ответы?|відповід[ьі]|odpowied[źz]"
    r"|cevap|yanıt|jawaban|回答|回复|回覆|回應|回应|响应|答案|答复|选项|候选|応答|返答|응답|답변"
)
COUNT_WORDS = {
    word: number
    for number, words in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    )
    for word in words.split()
} | {word: number for number, word in enumerate("零一二三四五六七八九十")}
_ORDINALS = {
    word: number
    for number, words in enumerate(
        ["first 1st", "second 2nd", "third 3rd", "fourth 4th", "fifth 5th", "sixth 6th", "seventh 7th", "eighth 8th"], 1
    )
    for word in words.split()
}
_ORDINAL = "|".join(_ORDINALS)
COUNT_WORD = "|".join(COUNT_WORDS)
LABEL = (
    rf"(?:(?<![a-zA-Z])(?:the\s+)?(?:{RESPONSE_WORDS}|r|resp)[\s_]*(?:[#№]|no\.?\s|nr\.?\s|number\s)?\s*"
    r"(?P<{0}a>[0-9]{{1,3}}|[一二三四五六七八九十](?=[\s:：是为得]))"
    rf"|(?:the\s+)?(?P<{{0}}b>{_ORDINAL})(?:\s+(?:{RESPONSE_WORDS}))?"
    rf"|第\s*(?P<{{0}}c>[0-9]{{{{1,3}}}}|[一二三四五六七八九十])\s*(?:个|個)?\s*(?:回答|回复|响应|答案|回應|回答案)"
    r"|[#№]\s*(?P<{0}d>[0-9]{{1,3}}))(?![0-9]|\.[0-9])"
)
"""The name of a response. Format it with a prefix for the names of its groups a, b, c and d."""


def number_of(name: str) -> int:
    """Return the number that a response goes by: "2", 二."""
    return int(name) if name.isdigit() else COUNT_WORDS[name]


def label_in(found: dict[str, str | None], prefix: str) -> int | None:
    """Return the response that a label names; None without one."""
    if number := found[f"{prefix}a"] or found[f"{prefix}d"]:
        return number_of(number)
    if word := found[f"{prefix}b"]:
        return _ORDINALS[word.lower()]
    if count := found[f"{prefix}c"]:
        return COUNT_WORDS.get(count) or int(count)
    return None
