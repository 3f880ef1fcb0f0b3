"use strict";
// Which words of two texts are in one of them alone (Myers, "An O(ND) difference algorithm", 1986), within bounds.

const MOST_TOKENS = 4000;
const MOST_STEPS = 1200;
const LEAST_SAME = 0.3; // texts that share less are not worth marking

function tokensOf(text) {
  return [...text.matchAll(/[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu)].map((found) => ({ word: found[0], start: found.index,
    end: found.index + found[0].length }));
}

// Return {left, right}: spans of kind "added"; or {why} where nothing is marked.
function differences(leftText, rightText) {
  if (leftText === rightText) return { why: "the same text" };
  if (leftText.length + rightText.length > 200000) return { why: "too long to compare word by word" };
  const [left, right] = [tokensOf(leftText), tokensOf(rightText)];
  if (Math.max(left.length, right.length) > MOST_TOKENS) return { why: "too long to compare word by word" };
  const same = matched(left, right);
  if (!same) return { why: "too different to compare word by word" };
  if (same.length < LEAST_SAME * Math.min(left.length, right.length)) return { why: "mostly different words" };
  const [inLeft, inRight] = [new Set(same.map(([one]) => one)), new Set(same.map(([, other]) => other))];
  return { left: spansOutside(left, inLeft), right: spansOutside(right, inRight) };
}

// Return pairs of places that hold the same word, in order; null where the texts are too far from each other.
function matched(left, right) {
  const [n, m] = [left.length, right.length];
  const middle = MOST_STEPS + 1;
  const far = new Int32Array(2 * middle + 1);
  const trace = [];
  for (let d = 0; d <= Math.min(MOST_STEPS, n + m); d += 1) {
    trace.push(far.slice(middle - d - 1, middle + d + 2));
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && far[middle + k - 1] < far[middle + k + 1]) ? far[middle + k + 1] : far[middle + k - 1] + 1;
      while (x < n && x - k < m && left[x].word === right[x - k].word) x += 1;
      far[middle + k] = x;
      if (x >= n && x - k >= m) return walkedBack(trace, n, m);
    }
  }
  return null;
}

function walkedBack(trace, n, m) {
  const pairs = [];
  let [x, y] = [n, m];
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const far = (k) => trace[d][k + d + 1];
    const k = x - y;
    const before = k === -d || (k !== d && far(k - 1) < far(k + 1)) ? k + 1 : k - 1;
    const startX = d === 0 ? 0 : far(before);
    const startY = d === 0 ? 0 : startX - before;
    while (x > startX && y > startY) { x -= 1; y -= 1; pairs.push([x, y]); }
    [x, y] = [startX, startY];
  }
  return pairs.reverse();
}

function spansOutside(tokens, inside) {
  const spans = [];
  tokens.forEach((token, place) => {
    if (inside.has(place)) return;
    if (place && spans.length && !inside.has(place - 1)) spans.at(-1).end = token.end;
    else spans.push({ start: token.start, end: token.end, kind: "added" });
  });
  return spans;
}
