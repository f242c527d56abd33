"""The time of a send: by receivers and keywords, by kind of receiver, robust, and without receivers to call."""

import logging
from dataclasses import replace
from functools import partial

from bench.cases import Table, over
from bench.contestants import present
from bench.receivers import KINDS, METHOD
from bench.sends import Send, case_of

COUNTS = {0: "no receiver", 1: "1 receiver", 3: "3 receivers", 10: "10 receivers", 100: "100 receivers"}
BATCHES = {0: 1000, 1: 300, 3: 100, 10: 30, 100: 4}
KEYWORDS = {0: "no keywords", 1: "1 keyword", 4: "4 keywords", 12: "12 keywords"}
FEW = 0, 4  # keywords, for tables with fewer cases


def robust_case(keywords, count, fails):
    """Return a case of robust sends; with plain sends for comparison, if no receiver fails."""
    send = Send(count, keywords, robust=True, last_fails=fails)
    name = COUNTS[count] + (", 1 of them fails" if fails else "")
    table = Table(f"send_robust, {KEYWORDS[keywords]}", "ns")
    case = case_of(table, name, send, BATCHES[count], is_quick=not fails)
    if not fails:
        plain = replace(send, robust=False)
        for each in present():
            if each.name in ("csignals", "csignals in Django", "Django"):
                case.contestants[f"{each.name}, send"] = partial(plain.prepare, each)
    return case


SENDS = [
    case_of(
        Table(f"send, {KEYWORDS[keywords]}", "ns"),
        name,
        Send(count, keywords),
        BATCHES[count],
        is_quick=keywords in FEW and count in (0, 1, 10),
    )
    for keywords in KEYWORDS
    for count, name in COUNTS.items()
]
OF_KINDS = [
    case_of(
        Table(f"send to 10 receivers, held {'weakly' if weak else 'strongly'}, {KEYWORDS[keywords]}", "ns"),
        kind,
        Send(10, keywords, kind=kind, weak=weak),
        BATCHES[10],
        is_quick=weak and kind == METHOD,
    )
    for keywords in FEW
    for weak in (True, False)
    for kind in KINDS
]
ROBUST = [robust_case(keywords, count, fails) for keywords in FEW for count in (1, 10) for fails in (False, True)]
TO_NO_RECEIVER = [
    case_of(
        Table(f"send to no receiver, {KEYWORDS[keywords]}", "ns"),
        f"{others:,} for other senders",
        Send(0, keywords, others=others),
        100 if others == 1000 else 300,
        is_quick=others == 10,
    )
    for keywords in FEW
    for others in (1, 10, 1000)
]

# Records that robust sends log are made and then dropped, without calling pytest's handlers.
for name in "django.dispatch", "celery.utils.dispatch.signal":
    logger = logging.getLogger(name)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


@over(SENDS)
def test_send(measure):
    measure()


@over(OF_KINDS)
def test_send_by_kind_of_receiver(measure):
    measure()


@over(ROBUST)
def test_send_robust(measure):
    measure()


@over(TO_NO_RECEIVER)
def test_send_to_no_receiver(measure):
    measure()
