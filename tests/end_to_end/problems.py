"""Problems in MATH's layout, written by hand: no two of them alike, and answers in every notation that MATH uses."""

import json
from pathlib import Path

from pipelines.sources.boxes import last_boxed

PROBLEMS = [
    ("Algebra", "What is $17 \\cdot 6$?", "Ten times 17 is 170 less 68, so it is \\boxed{102}."),
    ("Algebra", "Solve $3x + 7 = 1$ for $x$.", "Then $3x = -6$, hence $x = \\boxed{-2}$."),
    ("Algebra", "Write $0.375$ as a common fraction.", "It is $\\frac{375}{1000} = \\boxed{\\frac{3}{8}}$."),
    ("Algebra", "Simplify $\\sqrt{72}$.", "Since $72 = 36 \\cdot 2$, it is $\\boxed{6\\sqrt{2}}$."),
    ("Algebra", "Factor $x^2 - 5x + 6$ over the integers.", "The roots are 2 and 3: $\\boxed{(x - 2)(x - 3)}$."),
    ("Algebra", "For which $t$ is $t^2 < 9$? Give an interval.", "From $-3$ to $3$: $\\boxed{(-3, 3)}$."),
    ("Algebra", "Evaluate $\\log_2 64$.", "As $2^6 = 64$, it is $\\boxed{6}$."),
    ("Algebra", "A line passes through $(0,1)$ and $(4,9)$. What is its slope?", "$\\frac{8}{4} = \\boxed{2}$."),
    ("Prealgebra", "How many minutes are there in a week?", "$7 \\cdot 24 \\cdot 60 = \\boxed{10080}$."),
    ("Prealgebra", "Thirty percent of a number is 21. Find the number.", "$21 / 0.3 = \\boxed{70}$."),
    ("Prealgebra", "What is the remainder when $100$ is divided by $7$?", "$98$ is a multiple: \\boxed{2}."),
    ("Prealgebra", "A rectangle is 5 cm by 12 cm. How long is its diagonal?", "$\\sqrt{169} = \\boxed{13}$."),
    ("Prealgebra", "Evaluate $2^{10} - 2^{9}$.", "It is $2^9 = \\boxed{512}$."),
    ("Prealgebra", "Express the mean of 4, 8 and 15 as an integer.", "Their sum is 27: $\\boxed{9}$."),
    ("Number Theory", "How many positive divisors does $60$ have?", "$3 \\cdot 2 \\cdot 2 = \\boxed{12}$."),
    ("Number Theory", "Find the greatest common divisor of $84$ and $126$.", "Both are multiples of \\boxed{42}."),
    ("Number Theory", "What is the units digit of $3^{2023}$?", "The cycle is 3, 9, 7, 1: \\boxed{7}."),
    ("Number Theory", "Write $45$ in base two.", "$32 + 8 + 4 + 1$, so $\\boxed{101101}$."),
    ("Number Theory", "What is the smallest prime above $90$?", "91 is 7 times 13; \\boxed{97}."),
    ("Number Theory", "Find the sum of all primes below 20.", "$2+3+5+7+11+13+17+19 = \\boxed{77}$."),
    ("Geometry", "Find the area of a circle of radius $3$.", "$\\pi \\cdot 9 = \\boxed{9\\pi}$."),
    ("Geometry", "Two angles of a triangle are $48$ and $77$ degrees. Find the third.", "$180 - 125 = \\boxed{55}$."),
    ("Geometry", "What is the volume of a cone of radius 2 and height 6?", "A third: $\\boxed{8\\pi}$."),
    ("Geometry", "How many diagonals does a convex octagon have?", "$8 \\cdot 5 / 2 = \\boxed{20}$."),
    ("Geometry", "The sides of a cube double. By what factor does its volume grow?", "$2^3 = \\boxed{8}$."),
    ("Geometry", "Find the altitude of an equilateral triangle of side $4$.", "It is $\\boxed{2\\sqrt{3}}$."),
    ("Counting & Probability", "In how many orders can five books stand on a shelf?", "$5! = \\boxed{120}$."),
    ("Counting & Probability", "Two dice fall. What is the chance of a sum of 7?", "$6/36 = \\boxed{\\frac{1}{6}}$."),
    ("Counting & Probability", "How many committees of 3 can 8 people form?", "$\\binom{8}{3} = \\boxed{56}$."),
    (
        "Counting & Probability",
        "A coin is tossed 4 times. How likely are exactly two heads?",
        "$\\boxed{\\frac{3}{8}}$.",
    ),
    ("Counting & Probability", "How many three-letter words use only vowels a, e, i?", "$3^3 = \\boxed{27}$."),
    ("Intermediate Algebra", "Find the sum of the roots of $2x^2 - 9x + 4$.", "$\\boxed{\\frac{9}{2}}$."),
    ("Intermediate Algebra", "Compute $i^{37}$ where $i^2 = -1$.", "$37 = 4 \\cdot 9 + 1$, so $\\boxed{i}$."),
    (
        "Intermediate Algebra",
        "Sum the geometric series $1 + \\frac13 + \\frac19 + \\cdots$",
        "$\\boxed{\\frac{3}{2}}$.",
    ),
    ("Intermediate Algebra", "What is the minimum of $x^2 - 6x + 14$?", "$(x - 3)^2 + 5$, so $\\boxed{5}$."),
    ("Intermediate Algebra", "Find $f(-1)$ for $f(x) = x^5 - 2x^3 + x - 7$.", "$-1 + 2 - 1 - 7 = \\boxed{-7}$."),
    ("Precalculus", "Evaluate $\\sin 60^\\circ$.", "It is $\\boxed{\\frac{\\sqrt{3}}{2}}$."),
    ("Precalculus", "Find the dot product of $(1, 2, 3)$ and $(4, -5, 6)$.", "$4 - 10 + 18 = \\boxed{12}$."),
    ("Precalculus", "What is the determinant of a matrix with rows $(3, 1)$ and $(5, 2)$?", "$6 - 5 = \\boxed{1}$."),
    ("Precalculus", "Convert $150$ degrees to radians.", "$150 \\pi / 180 = \\boxed{\\frac{5\\pi}{6}}$."),
]
"""(type, problem, solution)"""

ANSWERS = {problem: last_boxed(solution) for _, problem, solution in PROBLEMS}
"""The gold answer to each problem."""


def write_math(path: Path, count: int = len(PROBLEMS)) -> Path:
    """Write the first problems, and return the path."""
    rows = [
        {"problem": problem, "level": "Level 2", "type": kind, "solution": solution}
        for kind, problem, solution in PROBLEMS[:count]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
