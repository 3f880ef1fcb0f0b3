"""A process that grades: batches of pairs come in on stdin, a pair a line, and grades go out on stdout, a line each.

The kernel's timers end it wherever it hangs, and its parent learns from the end of its output which pair that was. The
limit counts the processor's seconds, so that a verdict does not depend on what else the machine is doing; ten times as
long by the clock is the limit of what waits without computing. When its parent dies, its input ends, and so does it.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path

CLOCK = 10
OUT_OF_MEMORY = 77  # its exit code where a pair took too much memory


def work(seconds: float, memory: int) -> None:
    """Grade what comes in, with so many seconds for a pair and so many bytes for all, until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what ends a run reaches its whole group: the parent's to handle

    from pipelines.grading.verification import grade, prepare
    from schemas.question import AnswerForm, Gold

    for limit in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(limit, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF, signal.SIGALRM})
    prepare(AnswerForm.MATH)  # a library that finds no memory to load into would be an error, and none of the pair's
    _limit_memory(memory)
    pairs = sys.stdin.buffer
    try:
        while header := pairs.readline():
            for line in [pairs.readline() for _ in range(int(header))]:
                if not line.endswith(b"\n"):
                    return  # the parent died while it wrote
                form, answer, options, tolerance, text = json.loads(line)
                gold = Gold(AnswerForm(form), answer, tuple(options), tolerance)
                prepare(gold.form)
                _set_timers(seconds)
                graded = grade(gold, text)
                _set_timers(0)
                os.write(sys.stdout.fileno(), json.dumps([graded.verdict, graded.answer]).encode() + b"\n")
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone, and nobody will read the rest


def _set_timers(seconds: float) -> None:
    """Set the timers that end this process, or stop them with 0."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * CLOCK)


def _limit_memory(memory: int) -> None:
    """Allow so many bytes beyond what is mapped by now, of which the libraries will use little."""
    sizes = Path("/proc/self/statm")
    if sizes.exists():
        mapped = int(sizes.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, resource.RLIM_INFINITY))
