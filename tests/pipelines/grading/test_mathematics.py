import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.grading.mathematics import reads, verdict
from schemas.question import Verdict

SAME = [
    (r"\frac{1}{2}", "1/2"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac12", ".5"),
    (r"1\frac{1}{10}", "1.1"),
    (r"5,\!040", "5040"),
    ("10{,}000", "10 000"),
    (r"\frac{12}{5,\!525}", r"\frac{12}{5525}"),
    ("3.14", "3,14"),
    (r"25\%", "25"),
    (r"25\%", "0.25"),
    (r"90^\circ", "90"),
    (r"108\text{ degrees}", r"108^\circ"),
    (r"\$3.25", r"3.25\text{ dollars}"),
    (r"15\mbox{ cm}^2", "15 cm^2"),
    (r"147\text{ cm}", r"147 \text{ centimeters}"),
    (r"34\text{ sq. units}", r"34\text{ square units}"),
    ("3,-3", "-3, 3"),
    (r"1 \pm \sqrt{19}", r"1+\sqrt{19}, 1-\sqrt{19}"),
    ("(1,2)", "1,2"),
    ("x<2", r"(-\infty, 2)"),
    (r"(-\infty, 2)", "x<2"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{bmatrix} 1\\2 \end{bmatrix}"),
    ("x^2-1", "(x-1)(x+1)"),
    (r"\frac \pi4 + 2", r"2+\frac{\pi}{4}"),
    (r"\sin^2 t", r"1-\cos^2 t"),
    ("x=5", "5"),
    ("40_9", "40_{9}"),
    (r"05\!:\!00", "5:00"),
    (r"\text{Evelyn}", "Evelyn"),
    (r"\text{(C)}", "C"),
    (r"\text{A, C}", "A and C"),
    (r"\mathbf{2340}", "2340"),
    ("5000000", r"\$5\text{ million}"),
    ("2500000", "2.5 million dollars"),
    ("500000", "5 hundred thousand"),
    ("60", "5 dozen"),
    ("18", "18 eggs"),
    ("5", r"5\text{ miles per hour}"),
    (r"5\text{ cm}^2", "5 cm squared"),
    (r"\frac{5}{2}", "2 1/2"),
    ("(5/2, 3)", "(2 1/2, 3)"),
    (r"3 \times 10^8", "3e8"),
    ("0.00001", "1e-5"),
    ("16", r"16^{\text{th}}"),
    ("5", r"\text{about }5"),
    (r"35\%", "35 percent"),
    (r"35\%", r"35\text{ per cent}"),
    (r"37.5\%", r"37\frac{1}{2}\%"),
    (r"37.5\%", r"\frac38"),
    (r"62\frac{1}{2}\%", "0.625"),
    (r"(20\%, 80\%)", "(0.2, 0.8)"),
    ("4-7i", r"4-7\mathrm{i}"),
    ("i", "1i"),
    ("e^{3}", r"\mathrm{e}^3"),
    (r"e^{i\pi}", "-1"),
    (r"\cos 2x", r"\mathrm{cos}\,2x"),
    (r"\ln 5", r"\operatorname{ln}(5)"),
    (r"\tan x", "tan(x)"),
    ("23", r"\boldsymbol{23}"),
    ("23", r"\displaystyle\mathbf{\bm{23}}"),
    ("23", r"{\rm 23}"),
    ("23", r"\textcolor{red}{23}"),
    (r"2^{10}", r"2^\mathbf{10}"),
    (r"\frac{\pi}{3}", r"60^\circ"),
    ("60 degrees", r"\frac{\pi}{3}\text{ rad}"),
    (r"(2,\frac{\pi}{4})", r"(2,45^{\circ})"),
    (r"\{30^\circ,150^\circ\}", r"\frac{\pi}{6},\frac{5\pi}{6}"),
    (r"0<x<90^\circ", r"(0,\frac{\pi}{2})"),
    (r"2\cos 15^\circ", r"\frac{\sqrt6+\sqrt2}{2}"),
    ("4.25", r"4\frac14"),
    (r"4\frac{1}{4}\text{ hours}", "4.25"),
    ("k=3,5", r"k\in\{5,3\}"),
    ("3,5", r"x=3\text{ or }x=5"),
    (r"x<-1\text{ or }x>4", r"(-\infty,-1)\cup(4,\infty)"),
    (r"x\ne 4", r"(-\infty,4)\cup(4,\infty)"),
    ("[-1,4)", r"4>x\ge -1"),
    (r"0.\overline{6}", r"\frac23"),
    (r"\frac{4}{33}", r"0.1212\ldots"),
    ("1101_2", r"1101_{\text{two}}"),
    (r"4\text{ cm}", "4cm"),
    (r"4\text{ cm}", r"40\text{ mm}"),
    ("10^6", r"1\,000\,000"),
    (r"-\infty", r"\text{-infinity}"),
    (r"3\sqrt{2}", "3√2"),
    (r"18^\circ\text{C}", "18 °C"),
]
DIFFERENT = [
    ("18", "81"),
    (r"\frac{1}{2}", r"\frac{1}{3}"),
    ("(1,2)", "2,1"),
    ("[1,2)", "[1,2]"),
    (r"25\%", "12.5"),
    (r"\sqrt{2}", "1.414"),
    ("a + b + c", "a + b + d"),
    (r"\sin^2 t", r"\sin^2 x"),
    ("2", "2x"),
    ("40_9", "41_9"),
    ("4:30", "4:31"),
    ("0.0000001", "0.0000002"),
    (r"\frac{1}{2004!}", r"\frac{1}{2005!}"),
    (r"\$16,\!386.16", "16386.17"),
    (r"\begin{pmatrix} 1 & 0 \\ 0 & -1 \end{pmatrix}", r"\begin{pmatrix} 1 & 5 \\ 0 & -1 \end{pmatrix}"),
    (r"\text{Evelyn}", r"\text{Angela}"),
    (r"\text{A, C}", r"\text{A, D}"),
    (r"\text{Evelyn}", "12"),
    (r"2\sqrt{3}", r"\text{CBAD}"),
    ("(1,8)", r"\pi"),
    (r"\frac{1}{8}", "(1, 2)"),
    (r"\{4,5,7\}", r"\frac{3}{7}"),
    (r"(-\infty, 1) \cup (1, 3)", "0"),
    (r"\begin{pmatrix} 7 \\ -8 \end{pmatrix}", "2\\sqrt{3}"),
    ("x = 5", "6"),
    (r"35\%", "36"),
    (r"35\%", r"\frac{9}{25}"),
    ("35", r"36\%"),
    (r"(20\%, 80\%)", "(0.2, 0.7)"),
    (r"\frac{\pi}{3}", r"30^\circ"),
    (r"60^\circ", r"60\text{ rad}"),
    (r"(2,\frac{\pi}{4})", r"(2,60^\circ)"),
    ("4-7i", r"4+7\mathrm{i}"),
    (r"\cos x", r"\mathrm{sin} x"),
    ("4.25", r"4\frac13"),
    ("k=3,5,7", "k=1,3,5"),
    ("x<4", r"(-\infty,4]"),
    (r"x<-1\text{ or }x>4", "(-1,4)"),
    (r"0.\overline{6}", "0.6"),
    ("1101_2", "1011_2"),
    ("1101_2", "14"),
    (r"4\text{ cm}", r"50\text{ mm}"),
    ("23", r"\boldsymbol{32}"),
    (r"\infty", r"-\infty"),
]
CANNOT_TELL = [
    ("40_9", "40_8"),
    (r"147\text{ cm}", r"147\text{ m}"),
    (r"9\text{ a.m.}", r"9\text{ p.m.}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1, 2)"),
    ("5", "five"),
    ("5", r"\text{five}"),
    ("6", r"6 \text{ or } 7"),
    ("3, 5, 7", "5"),
    (r"\frac{5}{2}", "2,5"),
    (r"\text{(B)}", r"2\sqrt{3}"),
    (r"\text{no real solutions}", "0"),
    (r"\text{June}", "6"),
    (r"\begin{pmatrix} 5 \end{pmatrix}", "5"),
    ("x + y = 5", "5"),
    (r"\text{A, C}", r"\text{C, A}"),
    (r"\text{June 20}", "20 June"),
    ("1.875", "1,875"),
    ("5", r"\frac{1"),
    ("5", "1" * 2_000),
    ("", ""),
    ("0.25", r"25\text{ cents}"),
    ("5 million", "5"),
    (r"f''(x)", r"f'(x)"),
    (r"f'(x)", "f(x)"),
    ("x>2 or x<1", "x>2 and x<1"),
    (r"\text{A and B}", r"\text{A or B}"),
    (r"\text{A, B}", r"\text{A or B}"),
    (r"1,2,3,\ldots", "1,2,3"),
    ("1,2,2", "1,1,2"),
    ("2,3,5", "2,3,5,5"),
    (r"\{1,3\}", "(1,3)"),
    ("6", "5=6"),
    ("7", r"\bar{7}"),
    ("7", r"\cancel{1}7"),
    ("7", r"\stackrel{a}{7}"),
    (r"\widehat{AB}", "AB"),
    ("8", r"\mystery{7}"),
    (r"0.5\%", "0.5"),
    (r"35\%", "3500"),
    (r"3\frac{1}{2}", r"\frac{3}{2}"),
    (r"\frac{3}{4}", r"1\frac{3}{4}"),
    (r"80^\circ", "1.396"),
    ("7", "7m"),
    ("7", r"7\ \frac{\mathrm{m}}{\mathrm{s}}"),
    ("x=7", "y=7"),
    ("2000", "2.000"),
    ("1101_2", "13"),
    ("2.5", r"2\text{ and }\frac12"),
    ("7", "(" * 400 + "7,1" + ")" * 400),
]
STYLES = [
    r"\mathrm{%s}", r"\mathbf{%s}", r"\boldsymbol{%s}", r"\mathit{%s}", r"\mathsf{%s}", r"\text{%s}", r"\textbf{%s}",
    r"\operatorname{%s}", r"\displaystyle %s", r"\bm{%s}", r"{\rm %s}", r"\rm{%s}", r"\left(%s\right)", r"\,%s\;",
    r"\mathbf{\mathrm{%s}}", r"\color{blue}{%s}", r"{\bf %s}",
]  # fmt: skip
STYLED = ["12", "-7", "0.25", "3+2i", "x+1", r"\frac{3}{4}", r"2\sqrt{5}", r"7\frac{1}{2}"]
OF_FIVE = [
    r"5\text{ million}",
    "5 billion",
    "5 thousand",
    "5 dozen",
    "5 hundred",
    "5 squared",
    r"5\text{ factorial}",
    "5 halves",
    "5 tenths",
    "5 plus six",
    "5 minus one",
    "5 not",
    "5 is wrong",
    r"5\text{ or more}",
    r"5\text{ is wrong}",
    r"5\text{ over seven}",
]
GOLDS = ["420", r"\frac{3}{8}", r"6\sqrt{13}", "(2,12)", r"4\pi + 2", "x^2+7x+10", r"[-5, 3)", "2.75", "3,5,7", "1+2i"]


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_another_notation_is_right(gold: str, answer: str) -> None:
    assert verdict(gold, answer) is Verdict.RIGHT


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_another_answer_is_wrong_also_where_the_library_takes_it_for_equal(gold: str, answer: str) -> None:
    assert verdict(gold, answer) is Verdict.WRONG


@pytest.mark.slow
@pytest.mark.parametrize(("gold", "answer"), CANNOT_TELL)
def test_what_no_rule_can_tell_is_undecided(gold: str, answer: str) -> None:
    assert verdict(gold, answer) is Verdict.UNDECIDED


@given(st.sampled_from(GOLDS), st.data())
def test_a_gold_answer_with_one_digit_changed_is_never_right(gold: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([place for place, character in enumerate(gold) if character.isdigit()]))
    digit = data.draw(st.sampled_from("123456789").filter(lambda digit: digit != gold[place]))
    assert verdict(gold, gold[:place] + digit + gold[place + 1 :]) is not Verdict.RIGHT


@given(st.integers(), st.integers())
def test_integers_are_equal_however_their_thousands_are_set(gold: int, other: int) -> None:
    for written in (f"{gold:,}", f"{gold:,}".replace(",", r",\!"), f"{gold:,}".replace(",", "{,}"), f"{gold}.0"):
        assert verdict(str(gold), written) is Verdict.RIGHT
    assert (verdict(str(gold), f"{other:,}") is Verdict.RIGHT) == (gold == other)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("gold", STYLED)
def test_a_style_changes_no_value(style: str, gold: str) -> None:
    if "text" not in style or "\\" not in gold:  # within text, mathematics needs dollars
        assert verdict(gold, style % gold) is Verdict.RIGHT
        assert verdict(style % gold, gold) is Verdict.RIGHT
    for other in STYLED:
        assert other == gold or verdict(other, style % gold) is not Verdict.RIGHT


@pytest.mark.slow
@given(st.integers(1, 99), st.integers(2, 9), st.integers(1, 99), st.integers(2, 9))
def test_signs_and_mixed_numbers_keep_their_value(whole: int, under: int, other: int, other_under: int) -> None:
    gold, answer = (number * part + 1 for number, part in ((whole, under), (other, other_under)))
    mixed = rf"{other}\frac{{1}}{{{other_under}}}"
    same = gold * other_under == answer * under
    for wanted, written in (
        (rf"\frac{{{gold}}}{{{under}}}", mixed),
        (rf"\frac{{{gold}}}{{{under}}}\%", rf"{mixed}\%"),
        (rf"\frac{{{gold}}}{{{under * 100}}}", rf"{mixed}\%"),
        (rf"\frac{{{gold} \pi}}{{{under * 180}}}", rf"{mixed}^\circ"),
    ):
        assert (verdict(wanted, written) is Verdict.RIGHT) == same
        assert not same or verdict(written, wanted) is Verdict.RIGHT


@pytest.mark.parametrize("gold", [gold for gold, _ in SAME] + GOLDS)
def test_a_gold_answer_in_any_notation_can_be_compared(gold: str) -> None:
    assert reads(gold)


@pytest.mark.parametrize("gold", ["", r"\frac{1", r"\text{4:30 p.m.}", r"\text{June 20}", "1" * 2_000])
def test_a_gold_answer_that_equals_only_itself_cannot(gold: str) -> None:
    assert not reads(gold)


@pytest.mark.parametrize("answer", OF_FIVE)
def test_a_word_that_changes_a_number_is_no_unit(answer: str) -> None:
    assert verdict("5", answer) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("gold", "answer", "wanted"),
    [
        ("2^{64}-1", "2^{64}", Verdict.WRONG),
        ("20!+1", "20!", Verdict.WRONG),
        ("10^{400}", "10^{400}+1", Verdict.WRONG),
        ("2^{64}", "18446744073709551616", Verdict.RIGHT),
        ("3:4:5", "3:5:4", Verdict.WRONG),
        ("1:2:3", "2:4:6", Verdict.RIGHT),
        ("2:04:06", "1:02:03", Verdict.UNDECIDED),
        ("5000", "5k", Verdict.UNDECIDED),
        ("1.5K", "1500", Verdict.UNDECIDED),
        ("5000", "6k", Verdict.WRONG),
        ("x_1", "x1", Verdict.UNDECIDED),
        ("x_{1}+x_{2}", "x1+x2", Verdict.UNDECIDED),
        ("x_1", "x2", Verdict.WRONG),
        ("1:02:03", "01:02:03", Verdict.RIGHT),
    ],
)
def test_integers_of_any_length_and_ratios_are_compared_to_the_last_digit(
    gold: str, answer: str, wanted: Verdict
) -> None:
    assert verdict(gold, answer) is wanted
