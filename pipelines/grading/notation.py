r"""How an answer is written, apart from what it says: looks, spacing, thousands, units, words.

What only sets the look is dropped: `5,\!040` is 5040, `\frac\pi2` is `\frac{\pi}{2}`, `\boldsymbol{16}` is 16 and
`\mathrm{sin} x` is `\sin x`. What is left is mathematics and `\text{..}`. A letter set upright behind a number is a
unit where it can be one, and else the letter: `9\mathrm{i}`, `2\mathrm{e}`, but `5\mathrm{m}`. Units are split off
rather than dropped, since 5 cm is not 5 m. What `\foo{5}` is nobody here knows.
"""

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import accumulate

Replacement = str | Callable[[re.Match[str]], str]
Rules = Iterable[tuple[re.Pattern[str], Replacement]]

_STYLED = re.compile(
    r"\\(?:(?P<glyphs>mathbf|boldsymbol|bm|pmb|bold|mathit|mathsf|mathtt|mathnormal|textcolor\s*\{[^{}]*\}|emph|boxed|fbox"
    r"|ensuremath|smash)|text(?:normal|rm|bf|it|sf|tt|up|sl|md)?|[mh]box|mathrm|mathup|operatorname\*?"
    r"|(?:rm|bf|it|sf|tt)(?=\s*\{))(?![a-zA-Z])\s*"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_DEPTH = {"{": 1, "}": -1}
_OPEN = re.compile(r"(?:\\[a-zA-Z]+|[\^_])\s*\Z")
_FUNCTIONS = "arc(?:sin|cos|tan|cot|sec|csc)|(?:sin|cos|tan|cot|csc|sec)h?|ln|log|exp|det|gcd|lcm"
_FUNCTION = re.compile(_FUNCTIONS)
_BARE_FUNCTION = re.compile(rf"(?<![\\a-zA-Z])(?:{_FUNCTIONS})(?=(?:\s*[\^_(\\\d]|\s+[a-zA-Z\d]|[xyztn](?![a-zA-Z])))")
_NUMBER_AND_WORDS = re.compile(
    r"\s*(?P<number>[-+$]?[\d.,]*\d(?:/\d+)?)(?P<words>\s*(?:[a-zA-Z.]{2,}[a-zA-Z. /]*|\\?%))\s*"
)
_FORMULA = re.compile(r"(?=.*[\d=+^<>*/-])(?!.*[a-zA-Z]{2})(?!.*[a-zA-Z]\.)[\dA-Za-z+*/^=<>()\[\]{}.,\s_-]*", re.DOTALL)
UNIT_LETTERS = frozenset("msghdlbVAWJNFHTCBLK")
"""Letters that are a unit by themselves."""
_BEHIND_NUMBER = re.compile(r"[\d})](?:\s|~|\\[,;:! ])*\Z")
_ENDS = re.compile(r"\s*(?:\^\s*\{?[-\d]+\}?)?\s*(?:\Z|[,/)\]}\\$.]|\\text)")

_SIGNS = {
    "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ",
    "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "θ": r"\theta ",
    "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "½": r"\frac{1}{2}",
    "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}",
    "％": r"\%", "º": "°", "＝": "=", "，": ",", "（": "(", "）": ")",
}  # fmt: skip
_ABOVE, _BELOW = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉₊₋"
_TO_ASCII = str.maketrans(_SIGNS) | str.maketrans(_ABOVE + _BELOW, "0123456789+-" * 2)
_SCRIPTS: Rules = ((re.compile(f"[{_ABOVE}]+"), r"^{\g<0>}"), (re.compile(f"[{_BELOW}]+"), r"_{\g<0>}"))
_ROOTS: Rules = (
    (re.compile(r"√\s*(\d+|[a-zA-Z])"), r"\\sqrt{\1}"),
    (re.compile(r"√\s*(?=\()"), "sqrt"),
    (re.compile(r"\{\s*\\(?:rm|bf|it|sf|tt|boldmath)(?![a-zA-Z])\s*([^{}]*)\}"), r"{\\text{\1}}"),
)
_BASES = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()  # noqa: SIM905 - shorter so
)
_TYPED: Rules = (
    (
        re.compile(
            r"\\(?:(?:display|text|script|scriptscript)style|(?:no)?limits|(?:un)?boldmath|tiny|small|normalsize"
            r"|[lL]arge|LARGE|[hH]uge|(?:math)?strut|hfill|rm|bf|it|sf|tt|bfseries|itshape|color\s*\{[^{}]*\}"
            r"|hspace\*?\s*\{[^{}]*\})(?![a-zA-Z])\s*"
        ),
        "",
    ),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)"), r" \\times "),
    (re.compile(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])"), r"\\pi "),
    (re.compile(r"(?<![\\a-zA-Z])infinity(?![a-zA-Z])"), r"\\infty "),
    (re.compile(r"(?<=[\d\s)~])\{(\\text\{[^{}]*\})\}"), r"\1"),
    (re.compile(r"\\frac\s*\{\\text\{([a-zA-Z ]+)\}\}\s*\{\\text\{([a-zA-Z ]+)\}(\^\{?\d\}?)?\}"), r"\\text{\1/\2}\3"),
    (
        re.compile(rf"_\s*\{{?\s*(?:\\text\s*\{{)?\s*({'|'.join(_BASES)})\s*\}}{{0,2}}"),
        lambda base: f"_{{{_BASES.index(base[1])}}}",
    ),
    (re.compile(r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}"), r"\\emptyset "),
    (re.compile(r"(?<=\d)\.(?=\d{3}\.\d{3})|(?<=\d\.\d{3})\.(?=\d{3}(?!\d))"), ""),
)
_WORDED = {"pi": r"\pi ", "infinity": r"\infty ", "-infinity": r"-\infty ", "+infinity": r"\infty "}

_MACRO = re.compile(r"\\([a-zA-Z]+)")
_KNOWN = frozenset(
    r"""
    frac dfrac tfrac cfrac over sqrt pi sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh
    cosh tanh coth ln log lg exp infty cup cap in pm mp cdot times div le leq leqslant ge geq geqslant lt gt ne
    neq equiv text textnormal mbox begin end circ degree alpha beta gamma delta epsilon varepsilon zeta eta theta
    iota kappa lambda mu nu xi rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma
    Phi Psi Omega mathbb emptyset ldots cdots dots binom dbinom tbinom choose land lor wedge vee to rightarrow
    setminus mid lfloor rfloor lceil rceil lvert rvert vert approx quad qquad prime left right big Big bigg Bigg
    phantom triangle angle perp parallel langle rangle max min gcd lcm det hline sum prod int lim colon lbrace
    rbrace lbrack rbrack euro pounds
    """.split()  # noqa: SIM905 - names read better so
)

_TEXT = r"\\(?:text(?:normal|rm|bf|it|sf)?|mbox|hbox|math(?:rm|bf|sf|it)|operatorname)\s*"
_WRAPPED = re.compile(rf"{_TEXT}\{{([^{{}}]*)\}}")
_POWER = r"(?:\^\s*\{?\s*(?P<power>[23])\s*\}?)?"
_UNIT = re.compile(
    rf"(?P<body>.*[\d}})\]a-z])[\s~]*(?:\\[,;:! ])*{_TEXT}\{{(?P<unit>[^{{}}\d]*[a-zA-Z%][^{{}}\d]*)\}}\s*{_POWER}",
    re.DOTALL,
)
_WORD_UNIT = re.compile(r"(?P<body>[-+]?[\d.,/]*\d)\s+(?P<unit>[a-zA-Z]{3,}[a-zA-Z. /]*)")
_LETTER_UNIT = re.compile(rf"(?P<body>[-+]?[\d.,/]*\d)\s*(?P<unit>[a-zA-Z][a-zA-Z. /]*){_POWER}")
_DEGREES = re.compile(r"(?P<body>[-+]?[\d.]*\d|\\frac\{\d+\}\{\d+\})\s*(?:\^\s*\{?\s*\\circ\s*\}?|°|\\degree\b)")
_MONEY = re.compile(r"(?:\\?[$€£]|USD|EUR|GBP)\s*(?P<body>[-+]?[\d.,]*\d)")
_CURRENCY = {"$": "dollar", "€": "euro", "£": "pound", "U": "dollar", "E": "euro", "G": "pound"}

_TOKEN = r"\s*(?:\{([^{}]*)\}|(\\[a-zA-Z]+|[\da-zA-Z]))"
_SPACING: Rules = (
    (re.compile(r"(?<=\d)(?:\{,\}|,\\!)\s*(?=\d{3}(?!\d))"), ""),
    (
        re.compile(
            r"\\!|\\(?:left|right|big|Big|bigg|Bigg)[lrm]?(?![a-zA-Z])(?=\s*[(\[|)\]\\])|\\phantom\s*(?:\{[^{}]*\}|.)"
        ),
        "",
    ),
    (re.compile(rf"\\[dtc]?frac{_TOKEN}{_TOKEN}"), r"\\frac{\1\2}{\3\4}"),
    (re.compile(r"(?<!\\)\\[,;: ]|~|\\q?quad\b|\s+"), " "),
)
_SPACED_GROUP = re.compile(r"(?<=\d)(?:\\,|\\ |\\:|\\;|~|[ \u00a0\u202f\u2009])(?=\d{3}(?!\d))")
_GROUPED = re.compile(r"[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?")
_IDLE_SPACE = re.compile(r"(?<!\d)\s|\s(?!\d)")

_INTEGER = re.compile(r"([-+]?)(\d{1,40}|\d{1,3}(?:,\d{3}){1,12})(?:\.0{1,20})?")
_FRACTION_OF_INTEGERS = re.compile(r"([-+]?)(?:(\d{1,20})\s?/\s?(\d{1,20})|\\frac\{(\d{1,20})\}\{(\d{1,20})\})")
_LETTER = re.compile(r"[^\W\d_]")
_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# Words that may stand for a number, or for there being none.
_VALUES = frozenset(
    _WORDS.findall(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million "
        "billion dozen half halves third thirds quarter quarters fourth fourths fifth fifths sixth eighth tenth "
        "percent once twice thrice none nothing never solution solutions real infinite infinity infinitely undefined "
        "exist exists true false yes monday tuesday wednesday thursday friday saturday sunday january february march "
        "april may june july august september october november december option choice answer pi minus negative plus "
        "over divided times squared cubed root degrees"
    )
)


def rewritten(text: str, rules: Rules) -> str:
    """Return a text after one substitution after the other."""
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def plain(answer: str) -> str:
    """Return an answer in plain signs and macros, without styles, thin spaces, phantoms and marks of thousands."""
    answer = rewritten(_unstyled(answer), _SPACING).strip().rstrip(".").rstrip()
    answer = joined_digits(answer) if _GROUPED.fullmatch(answer) else answer
    return answer if _LETTER.search(unwrapped(answer)) or not is_text(answer) else unwrapped(answer)


def _unstyled(answer: str) -> str:
    r"""Return an answer in plain signs and macros; its text stands in `\text{..}`."""
    answer = rewritten(rewritten(answer, _SCRIPTS).translate(_TO_ASCII), _ROOTS)
    for styled in reversed(list(_STYLED.finditer(answer))):
        end = _argument_end(answer, styled.end())
        content = answer[styled.end() : end]
        inner = content[1:-1] if content.startswith("{") and content.endswith("}") else content
        before, after = answer[: styled.start()], answer[end:]
        answer = before + _plain_content(inner, before, after, bool(styled["glyphs"])) + after
    answer = rewritten(answer, _TYPED).strip()
    while answer.startswith("{") and _argument_end(answer, 0) == len(answer) and answer.endswith("}"):
        answer = answer[1:-1].strip()
    parts = re.split(r"(\\text\s*\{[^{}]*\})", answer)
    parts[::2] = [_BARE_FUNCTION.sub(r"\\\g<0> ", part) for part in parts[::2]]
    return "".join(parts)


def _argument_end(answer: str, start: int) -> int:
    """Return where the argument ends that starts here: a group in braces, a macro, or one character."""
    if answer.startswith("{", start):
        return group_end(answer, start) or len(answer)
    macro = _MACRO.match(answer, start)
    return macro.end() if macro else min(start + 1, len(answer))


def _plain_content(content: str, before: str, after: str, glyphs: bool) -> str:
    """Return what a styled argument says, as it must stand between the texts before and after it."""
    inner = content.strip()
    as_text = rf"\text{{{content}}}"
    group = "{%s}" if _OPEN.search(before) else "%s"  # the argument of what stands before it
    joined = group % inner
    if _FUNCTION.fullmatch(inner) and not (inner == "sec" and _BEHIND_NUMBER.search(before)):
        return rf"\{inner} "
    if inner in _WORDED:
        return _WORDED[inner]
    if (worded := _NUMBER_AND_WORDS.fullmatch(content)) and not before and not after:
        return rf"{worded['number']}\text{{{worded['words']}}}"
    if len(inner) == 1 and inner.isalpha() and not glyphs:
        alone = not before.strip(" $") and not after.strip(" $.") and inner not in "ie"
        unit = inner in UNIT_LETTERS and _BEHIND_NUMBER.search(before) and _ENDS.match(after)
        return as_text if alone or unit else joined
    if "\\" in inner or "{" in inner:
        return as_text if not glyphs and re.search(r"[a-zA-Z]{2}", _MACRO.sub("", inner)) else joined
    if not _LETTER.search(inner) or _FORMULA.fullmatch(inner) or len(inner) == 1:
        return group % (inner if glyphs else content)
    return joined if glyphs and not re.search(r"[^\W\d_]{2}", inner) else as_text


def group_end(text: str, start: int) -> int | None:
    """Return where the group in braces ends that opens here; None where it never closes."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += _DEPTH.get(brace[0], 0)
        if depth == 0:
            return brace.end()
    return None


def closes(answer: str) -> bool:
    """Return whether every brace that an answer opens is closed in it."""
    depths = list(accumulate((_DEPTH.get(brace, 0) for brace in _BRACE.findall(answer)), initial=0))
    return min(depths) == depths[-1] == 0


def unknown_macros(*answers: str) -> list[str]:
    """Return the macros whose meaning is not known here. What they are put on may be anything."""
    return [name for answer in answers for name in _MACRO.findall(answer) if name not in _KNOWN]


def without_spaces(answer: str) -> str:
    """Return an answer without blanks, except between digits: "2 3" is not 23."""
    return _IDLE_SPACE.sub("", answer)


def without_unit(answer: str) -> tuple[str, str | None]:
    r"""Return an answer and its unit, or None: ("12", "cm^2") of `12 \text{ cm}^2`, ("3", "dollar") of `\$3`."""
    if unit := _UNIT.fullmatch(answer) or _WORD_UNIT.fullmatch(answer):
        return unit["body"].strip(), _powered(unit)
    if degrees := _DEGREES.fullmatch(answer):
        return degrees["body"], "degree"
    if money := _MONEY.fullmatch(answer):
        return money["body"], _CURRENCY[answer.lstrip("\\")[0]]
    return answer, None


def without_loose_unit(answer: str) -> tuple[str, str | None]:
    """Return an answer and the letters behind its number, which are a unit only where the other answer has one."""
    unit = _LETTER_UNIT.fullmatch(answer)
    return (unit["body"], _powered(unit)) if unit else (answer, None)


def _powered(unit: re.Match[str]) -> str:
    power = unit.groupdict().get("power")
    return unit["unit"].strip(" .") + (f"^{power}" if power else "")


def joined_digits(answer: str) -> str:
    """Return an answer without the blanks that group the digits of its numbers: 10000 for "10 000"."""
    return _SPACED_GROUP.sub("", answer)


def exact_number(answer: str) -> Fraction | None:
    r"""Return the value of an integer or a fraction of integers, however its thousands are set; None for all else."""
    answer = joined_digits(answer)
    if whole := _INTEGER.fullmatch(answer):
        return Fraction(int(whole[1] + whole[2].replace(",", "")))
    if parts := _FRACTION_OF_INTEGERS.fullmatch(answer):
        over, under = int(parts[2] or parts[4]), int(parts[3] or parts[5])
        return Fraction(-over if parts[1] == "-" else over, under) if under else None
    return None


def unwrapped(answer: str) -> str:
    r"""Return an answer with the content of each `\text{..}` in its place."""
    return _WRAPPED.sub(r"\1", answer).strip()


def without_text(answer: str) -> str:
    r"""Return an answer without its `\text{..}`."""
    return _WRAPPED.sub(" ", answer)


def is_text(answer: str) -> bool:
    r"""Return whether all of an answer stands in one `\text{..}`."""
    return _WRAPPED.fullmatch(answer.strip()) is not None


def words(answer: str) -> tuple[str, ...] | None:
    """Return an answer's words in lower case; None where it is more than words, such as a number or a formula."""
    text = unwrapped(answer)
    if re.search(r"[\d\\^_=+*/<>{}|]", text):
        return None
    return tuple(word for word in _WORDS.findall(text.casefold()) if word not in ("and", "or", "the")) or None


def may_be_value(words: tuple[str, ...]) -> bool:
    """Return whether words may stand for a number: Evelyn does not, while "two", "none" and (C), some option, may."""
    return any(len(part) < 3 or part in _VALUES for word in words for part in word.split("-"))
