r"""Macros that set how an answer looks: `\boldsymbol{16}` is 16, `\mathrm{sin} x` is `\sin x`, and what `\foo{5}` is
nobody here knows.

What is left of an answer is mathematics and `\text{..}`. A letter set upright behind a number is a unit where it can be
one, and else the letter: `9\mathrm{i}`, `2\mathrm{e}`, but `5\mathrm{m}`.
"""

import re
from collections.abc import Callable

_STYLED = re.compile(
    r"\\(?:(?P<glyphs>mathbf|boldsymbol|bm|pmb|bold|mathit|mathsf|mathtt|mathnormal|textcolor\s*\{[^{}]*\}|emph|boxed|fbox"
    r"|ensuremath|smash)|text(?:normal|rm|bf|it|sf|tt|up|sl|md)?|[mh]box|mathrm|mathup|operatorname\*?"
    r"|(?:rm|bf|it|sf|tt)(?=\s*\{))(?![a-zA-Z])\s*"
)
_SWITCH = re.compile(r"\{\s*\\(?:rm|bf|it|sf|tt|boldmath)(?![a-zA-Z])\s*([^{}]*)\}")
_IDLE = re.compile(
    r"\\(?:(?:display|text|script|scriptscript)style|(?:no)?limits|(?:un)?boldmath|tiny|small|normalsize|[lL]arge|LARGE"
    r"|[hH]uge|(?:math)?strut|hfill|rm|bf|it|sf|tt|bfseries|itshape|color\s*\{[^{}]*\}|hspace\*?\s*\{[^{}]*\})(?![a-zA-Z])\s*"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_OPEN = re.compile(r"(?:\\[a-zA-Z]+|[\^_])\s*\Z")
_FUNCTIONS = "arc(?:sin|cos|tan|cot|sec|csc)|(?:sin|cos|tan|cot|csc|sec)h?|ln|log|exp|det|gcd|lcm"
_FUNCTION = re.compile(_FUNCTIONS)
_BARE_FUNCTION = re.compile(rf"(?<![\\a-zA-Z])(?:{_FUNCTIONS})(?=(?:\s*[\^_(\\\d]|\s+[a-zA-Z\d]|[xyztn](?![a-zA-Z])))")
_NUMBER_AND_WORDS = re.compile(
    r"\s*(?P<number>[-+$]?[\d.,]*\d(?:/\d+)?)(?P<words>\s*(?:[a-zA-Z.]{2,}[a-zA-Z. /]*|\\?%))\s*"
)
_FORMULA = re.compile(r"(?=.*[\d=+^<>*/-])(?!.*[a-zA-Z]{2})(?!.*[a-zA-Z]\.)[\dA-Za-z+*/^=<>()\[\]{}.,\s_-]*", re.DOTALL)
_UNIT_LETTERS = frozenset("msghdlbVAWJNFHTCBLK")
_BEHIND_NUMBER = re.compile(r"[\d})](?:\s|~|\\[,;:! ])*\Z")
_ENDS = re.compile(r"\s*(?:\^\s*\{?[-\d]+\}?)?\s*(?:\Z|[,/)\]}\\$.]|\\text)")

_SIGNS = {
    "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ",
    "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "θ": r"\theta ",
    "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "½": r"\frac{1}{2}",
    "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}",
    "％": r"\%", "º": "°", "＝": "=", "，": ",", "（": "(", "）": ")",
}  # fmt: skip
_TO_ASCII = str.maketrans(_SIGNS)
_SUPERSCRIPTS, _SUBSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉₊₋"
_SCRIPT = re.compile(f"[{_SUPERSCRIPTS}]+|[{_SUBSCRIPTS}]+")
_SCRIPT_DIGITS = str.maketrans(_SUPERSCRIPTS + _SUBSCRIPTS, "0123456789+-" * 2)
_ROOT = re.compile(r"√\s*(?:(\d+|[a-zA-Z])|(?=\())")
_BASES = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()  # noqa: SIM905
)
_TYPED = (
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)"), r" \\times "),
    (re.compile(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])"), r"\\pi "),
    (re.compile(r"(?<![\\a-zA-Z])infinity(?![a-zA-Z])"), r"\\infty "),
    (re.compile(r"(?<=[\d\s)~])\{(\\text\{[^{}]*\})\}"), r"\1"),
    (re.compile(r"\\frac\s*\{\\text\{([a-zA-Z ]+)\}\}\s*\{\\text\{([a-zA-Z ]+)\}(\^\{?\d\}?)?\}"), r"\\text{\1/\2}\3"),
    (
        re.compile(rf"_\s*\{{?\s*(?:\\text\s*\{{)?\s*({'|'.join(_BASES)})\s*\}}{{0,2}}"),
        lambda found: f"_{{{_BASES.index(found[1])}}}",
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


def unstyled(answer: str) -> str:
    """Return an answer in plain signs and macros: what only sets its look is gone, and text stands in `\\text{..}`."""
    answer = _SCRIPT.sub(_set_in_line, answer)
    answer = _ROOT.sub(lambda root: rf"\sqrt{{{root[1]}}}" if root[1] else "sqrt", answer.translate(_TO_ASCII))
    answer = _SWITCH.sub(r"{\\text{\1}}", answer)
    for styled in reversed(list(_STYLED.finditer(answer))):
        end = _argument_end(answer, styled.end())
        content = answer[styled.end() : end]
        inner = content[1:-1] if content.startswith("{") and content.endswith("}") else content
        before, after = answer[: styled.start()], answer[end:]
        answer = before + _plain_content(inner, before, after, bool(styled["glyphs"])) + after
    answer = _IDLE.sub("", answer)
    for pattern, replacement in _TYPED:
        answer = pattern.sub(replacement, answer)
    answer = answer.strip()
    while answer.startswith("{") and _argument_end(answer, 0) == len(answer) and answer.endswith("}"):
        answer = answer[1:-1].strip()
    return _outside_text(answer, lambda part: _BARE_FUNCTION.sub(r"\\\g<0> ", part))


def _set_in_line(found: re.Match[str]) -> str:
    """Return digits that are set above or below the line as LaTeX writes them."""
    sign = "^" if found[0][0] in _SUPERSCRIPTS else "_"
    return f"{sign}{{{found[0].translate(_SCRIPT_DIGITS)}}}"


def unknown_macros(*answers: str) -> list[str]:
    """Return the macros whose meaning is not known here; what they are put on may be anything."""
    return [name for answer in answers for name in _MACRO.findall(answer) if name not in _KNOWN]


def _argument_end(answer: str, start: int) -> int:
    """Return where the argument ends that starts here: a group in braces, a macro, or one character."""
    if not answer.startswith("{", start):
        macro = _MACRO.match(answer, start)
        return macro.end() if macro else min(start + 1, len(answer))
    depth = 0
    for brace in _BRACE.finditer(answer, start):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return brace.end()
    return len(answer)


def _plain_content(content: str, before: str, after: str, glyphs: bool) -> str:
    """Return what a styled argument says, as it must stand between what is before and after it."""
    inner = content.strip()
    if _FUNCTION.fullmatch(inner) and not (inner == "sec" and _BEHIND_NUMBER.search(before)):
        return rf"\{inner} "
    if inner in _WORDED:
        return _WORDED[inner]
    if (worded := _NUMBER_AND_WORDS.fullmatch(content)) and not before and not after:
        return rf"{worded['number']}\text{{{worded['words']}}}"
    if len(inner) == 1 and inner.isalpha() and not glyphs:
        alone = not before.strip(" $") and not after.strip(" $.") and inner not in "ie"
        unit = inner in _UNIT_LETTERS and _BEHIND_NUMBER.search(before) and _ENDS.match(after)
        return rf"\text{{{content}}}" if alone or unit else _joined(inner, before)
    if "\\" in inner or "{" in inner:
        is_text = not glyphs and re.search(r"[a-zA-Z]{2}", _MACRO.sub("", inner))
        return rf"\text{{{content}}}" if is_text else _joined(inner, before)
    if not re.search(r"[^\W\d_]", inner) or _FORMULA.fullmatch(inner) or len(inner) == 1:
        return _joined(content if not glyphs else inner, before)
    is_word = re.search(r"[^\W\d_]{2}", inner)
    return _joined(inner, before) if glyphs and not is_word else rf"\text{{{content}}}"


def _joined(content: str, before: str) -> str:
    """Return content in braces where it is the argument of what stands before it."""
    return f"{{{content}}}" if _OPEN.search(before) else content


def _outside_text(answer: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(\\text\s*\{[^{}]*\})", answer)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))
