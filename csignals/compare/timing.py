"""Times contestants in turn, and sums up what came out."""

from collections.abc import Callable
from statistics import median

Samples = dict[str, list[float]]  # contestant -> seconds, one for each round
Contestants = dict[str, Callable[[], float]]  # contestant -> does the work once, and returns the seconds


def in_turn(contestants: Contestants, rounds: int, advance: Callable[[], None]) -> Samples:
    """Let all contestants run once in each round, and each of them be the first as often as the others.

    So whatever slows the machine down for a while hits all of them, and ratios within a round stay right.
    """
    names = list(contestants)
    samples: Samples = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            samples[name].append(contestants[name]())
        names.append(names.pop(0))
        advance()
    return samples


def ratio(samples: Samples, slower: str, faster: str) -> float:
    """Return how many times as fast one contestant is as another: the median of the rounds' ratios."""
    return median(theirs / ours for theirs, ours in zip(samples[slower], samples[faster], strict=True))
