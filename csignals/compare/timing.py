"""Run contestants in turn, and compute the ratios of their times."""

from collections.abc import Callable
from statistics import median

Samples = dict[str, list[float]]  # contestant -> seconds, one for each round
Contestants = dict[
    str, Callable[[], float]
]  # contestant -> a function that does the work once, and returns the seconds


def in_turn(contestants: Contestants, rounds: int, advance: Callable[[], None]) -> Samples:
    """Run all contestants once in each round. Each of them begins a round equally often.

    If the machine is slow for a while, it is slow for all of them, and the ratios within a round stay right.
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
    """Return how many times as fast one contestant is as another: the median of the ratios in each round."""
    return median(theirs / ours for theirs, ours in zip(samples[slower], samples[faster], strict=True))
