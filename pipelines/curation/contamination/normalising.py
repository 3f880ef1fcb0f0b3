"""Texts as words, and words as hashes: what is left of a text when its case, punctuation and layout are taken away.

A word is a run of letters, or a run of digits: "don't" is one, and so is 1,000. Scripts that put no spaces between
words (Han, Hiragana, Katakana, Thai, Lao, Khmer, Burmese) give a word for each character. A LaTeX command that only
lays a formula out is no word, so that `$\\frac{1}{2}$`, `1/2` and `½` are the same two words.

Everything is columnar: the words of many texts are one flat array of hashes, with the place where each text begins. A
hash is taken of the bytes of a word, not by a library's own function, which changes from version to version.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

WORDS_VERSION = 2
"""Raise it with any change of what a word or a hash is: signatures of another version cannot be compared."""

Hashes = npt.NDArray[np.uint64]
ShortHashes = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]

_NO_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = rf"\\[a-z]+|[{_NO_SPACES}]|[[\p{{L}}\p{{M}}]--[{_NO_SPACES}]]+|\p{{N}}+"
_UNSEEN = r"[\p{Cf}\x{34F}\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]+|’"
"""Soft hyphens, joiners and signs that choose a letter's form stand inside words; so does an apostrophe."""
_CAPITALS = {"ß": "ss", "ς": "σ"}
"""Letters that capitals do not lead back to."""
_WITHIN = r"'|(?:,|\{,\}|,\\!)(?P<thousands>[0-9]{3})\b"
"""An apostrophe, and a comma before thousands, with the braces and the sign that LaTeX puts around it."""
_COMMANDS = (
    "frac dfrac tfrac cfrac text textbf textit textrm texttt mathrm mathbf mathbb mathcal mathit mathsf mbox left "
    "right operatorname big bigg bigl bigr biggl biggr cdot times div ldots dots cdots quad qquad displaystyle "
    "textstyle limits le leq ge geq ne neq lt gt pm mp begin end hspace vspace phantom boxed overline underline"
)
_LAYOUT = pa.array([f"\\{command}" for command in _COMMANDS.split()], pa.large_string())
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no power of it is 0


@dataclass(frozen=True, slots=True)
class Words:
    """The words of texts, by their hashes."""

    hashes: Hashes
    """Of all texts, one after the other."""
    ends: Places
    """Where each text begins in `hashes`, and after the last one the end of all: text i is `ends[i]:ends[i + 1]`."""

    @property
    def counts(self) -> Places:
        """How many words each text has."""
        return np.diff(self.ends)

    def joined(self, firsts: Places) -> "Words":
        """Return longer texts, each made of several that stand side by side.

        `firsts` is the number of the first text of each, and after the last one the number of all texts.
        """
        return Words(self.hashes, self.ends[firsts])

    def places(self) -> Places:
        """Return the place of each word in its text, from 0."""
        return np.arange(self.ends[0], self.ends[-1]) - np.repeat(self.ends[:-1], self.counts)


@dataclass(frozen=True, slots=True)
class Grams:
    """Runs of n words, in the order of the texts, by their hashes."""

    hashes: ShortHashes
    texts: Places
    """Which text each stands in."""
    places: Places
    """Its first word's place in that text."""


def words_of(texts: pl.Series) -> Words:
    """Return the words of each text. A null has none."""
    texts = texts.cast(pl.String).fill_null("")
    is_plain = texts.str.len_bytes() == texts.str.len_chars()
    if not is_plain.all():
        spelt = texts.filter(~is_plain).str.normalize("NFKC").str.replace_all(_UNSEEN, "")
        spelt = spelt.str.to_lowercase().str.replace_many(_CAPITALS)
        texts = texts.scatter(is_plain.not_().arg_true(), spelt) if len(spelt) < len(texts) else spelt
    folded = texts.str.to_lowercase().str.replace_all(_WITHIN, "${thousands}")
    lists = folded.str.extract_all(_WORD).to_arrow()
    offsets = lists.offsets.to_numpy()
    flat = lists.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    hashes, is_word = _hashed(flat)
    ends = np.concatenate([[0], np.cumsum(is_word)])[offsets - offsets[0]]
    return Words(hashes[is_word], ends)


def _hashed(words: pa.Array) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Return the hash of each word, and whether it is one and no layout."""
    encoded = pc.dictionary_encode(words.cast(pa.large_string()))
    is_word = pc.invert(pc.is_in(encoded.dictionary, _LAYOUT)).to_numpy(zero_copy_only=False)
    numbers = encoded.indices.to_numpy()
    return _hashes_of(pc.utf8_ltrim(encoded.dictionary, "\\"))[numbers], is_word[numbers]


def _hashes_of(words: pa.Array) -> Hashes:
    """Return the hash of each distinct word: of its bytes, and of how many there are."""
    _, ends, data = words.buffers()
    begins = np.frombuffer(ends, np.int64)[words.offset :][: len(words) + 1]
    if not len(words):
        return np.empty(0, np.uint64)
    encoded = np.frombuffer(data, np.uint8)[begins[0] : begins[-1]]
    return whole_hashes(Words(encoded.astype(np.uint64), begins - begins[0]))


def grams_of(words: Words, n: int) -> Grams:
    """Return every run of n words of each text, by 32 bits of its hash."""
    hashes, places = words.hashes[words.ends[0] : words.ends[-1]], words.places()
    texts = np.repeat(np.arange(len(words.counts)), words.counts)
    is_whole = places + n <= words.counts[texts]
    texts, places = texts[is_whole], places[is_whole]
    if not len(texts):
        return Grams(np.empty(0, np.uint32), texts, places)
    rolled = np.zeros(len(hashes) - n + 1, np.uint64)
    for word in range(n):
        rolled *= _BASE
        rolled += hashes[word : word + len(rolled)]
    mixed = _mixed(rolled[is_whole[: len(rolled)]])
    return Grams((mixed >> np.uint64(32)).astype(np.uint32), texts, places)


def whole_hashes(words: Words) -> Hashes:
    """Return 64 bits of the hash of all words of each text, in their order; equal texts have equal ones."""
    counts = words.counts
    powers = np.full(int(counts.max(initial=0)) + 1, _BASE)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    sums = np.zeros(int(words.ends[-1] - words.ends[0]) + 1, np.uint64)
    np.cumsum(words.hashes[words.ends[0] : words.ends[-1]] * powers[words.places()], out=sums[1:])
    begins = words.ends - words.ends[0]
    return _mixed(sums[begins[1:]] - sums[begins[:-1]] + counts.astype(np.uint64))


def _mixed(hashes: Hashes) -> Hashes:
    """Return hashes whose every bit depends on every bit of the given ones (the last steps of MurmurHash3)."""
    mixed = hashes ^ (hashes >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed
