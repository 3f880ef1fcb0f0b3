"""What a service counts, and its page of metrics: Prometheus' text form, written by hand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.serving.verdicts import Cause, Failure, Reward, Verdict


@dataclass
class Times:
    """Seconds that something took: their sum, their number, and the longest."""

    total: float = 0.0
    count: int = 0
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        self.total += seconds
        self.count += 1
        self.longest = max(self.longest, seconds)


@dataclass
class Counts:
    """What happened since the service began."""

    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By (path, HTTP status)."""
    groups: int = 0
    partial_groups: int = 0
    responses: int = 0
    failures: Counter[Cause] = field(default_factory=Counter)
    beside: Counter[Cause] = field(default_factory=Counter)
    """Failures that calls were told and no group's verdict has: late, stopping, timed out."""
    samples: int = 0
    readable: int = 0
    open_calls: int = 0
    gone_clients: int = 0
    group_wait: Times = field(default_factory=Times)
    """How long groups waited for their members."""
    judgement: Times = field(default_factory=Times)
    """How long groups took from the last member on."""

    def add(self, verdict: Verdict, seconds: float) -> None:
        """Count a group that was judged."""
        self.groups += 1
        self.responses += len(verdict.rewards)
        self.failures.update(reward.cause for reward in verdict.rewards if isinstance(reward, Failure))
        self.samples += verdict.samples
        self.readable += verdict.readable
        self.judgement.add(seconds)

    def add_beside(self, rewards: Sequence[Reward]) -> None:
        """Count those failures of a call that no group's verdict has."""
        causes = (Cause.LATE, Cause.STOPPING, Cause.TIMED_OUT)
        self.beside.update(one.cause for one in rewards if isinstance(one, Failure) and one.cause in causes)

    def waited(self, seconds: float, is_partial: bool) -> None:
        """Count a group that was put together from several calls."""
        self.group_wait.add(seconds)
        self.partial_groups += is_partial

    @property
    def told(self) -> int:
        """Responses that got a reward or a failure; one whose call timed out gets another when it is judged."""
        return self.responses + self.beside.total()

    @property
    def failed_share(self) -> float:
        """The share of what was told that is a failure."""
        return (self.failures.total() + self.beside.total()) / self.told if self.told else 0.0


def metrics(counts: Counts, gauges: Mapping[str, tuple[str, float | None]]) -> str:
    """Return the page. `gauges` are values by name, each with its meaning; one that is unknown is left out."""
    lines: list[str] = []

    def told(name: str, kind: str, words: str, samples: Mapping[str, float]) -> None:
        lines.extend((f"# HELP grmforge_{name} {words}", f"# TYPE grmforge_{name} {kind}"))
        lines.extend(f"grmforge_{name}{labels} {value:g}" for labels, value in samples.items())

    told("calls_total", "counter", "Calls by path and HTTP status.",
         {f'{{path="{path}",status="{status}"}}': n for (path, status), n in sorted(counts.calls.items())})  # fmt: skip
    told("groups_total", "counter", "Groups judged.", {"": counts.groups})
    told("partial_groups_total", "counter", "Groups judged without all their members.", {"": counts.partial_groups})
    told("responses_total", "counter", "Responses that got a reward or a failure.", {"": counts.told})
    told("failures_total", "counter", "Responses without a reward, by cause.",
         {f'{{cause="{cause.value}"}}': counts.failures[cause] + counts.beside[cause] for cause in Cause})  # fmt: skip
    told("failed_share", "gauge", "Share of all responses without a reward.", {"": counts.failed_share})
    told("samples_total", "counter", "Samples of the judge.", {"": counts.samples})
    told("readable_samples_total", "counter", "Samples whose scores could be read.", {"": counts.readable})
    told("open_calls", "gauge", "Calls that wait for their reply.", {"": counts.open_calls})
    told("gone_clients_total", "counter", "Calls whose client went away before the reply.", {"": counts.gone_clients})
    for name, (words, value) in gauges.items():
        told(name, "gauge", words, {} if value is None else {"": value})
    for name, times, words in (
        ("group_wait_seconds", counts.group_wait, "From a group's first member to the begin of its judgement."),
        ("judgement_seconds", counts.judgement, "From the begin of a judgement to its end."),
    ):
        told(name, "summary", words, {"_sum": times.total, "_count": times.count})
        told(f"{name}_longest", "gauge", f"The longest: {words[:1].lower()}{words[1:]}", {"": times.longest})
    return "\n".join(lines) + "\n"
