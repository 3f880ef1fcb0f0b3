"""How long an endpoint wants to be left alone: Retry-After and rate-limit headers, in seconds."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(header: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for, a number or an HTTP date; None when it makes no sense."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            when = parsedate_to_datetime(header)
        except (ValueError, IndexError, TypeError):
            return duration_of(header)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    return min(seconds, 1e9) if seconds >= 0 else None  # not a number is not at least 0 either


def duration_of(text: str) -> float | None:
    """Return the seconds of a duration as rate-limit headers write it ("1m2.5s", "20ms"); None for anything else."""
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def exhausted_for_s(headers: Mapping[str, str]) -> float | None:
    """Return for how long rate-limit headers say that nothing is left (x-ratelimit-remaining-..: 0); None otherwise."""
    waits = [
        duration_of(reset) or seconds_of(reset) or 0.0
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
        and (reset := headers.get(f"x-ratelimit-reset-{what}")) is not None
    ]
    return max(waits) if waits else None
