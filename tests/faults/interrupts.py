"""Connects, disconnects and sends until it has been interrupted COUNT times, and prints the problems that it found.

    python interrupts.py PLACE COUNT

PLACE is "standalone" or "django". In "django", it only sends: an interrupt while Django itself connects or disconnects
leaves the lock taken. Another process has to send the interrupts, once this one has printed "ready".
"""

import contextlib
import faulthandler
import gc
import json
import signal as signals
import sys
import threading

faulthandler.enable()

if sys.argv[1] == "django":
    from django.dispatch import Signal

    import csignals.django

    csignals.django.install()
else:
    from csignals import Signal

is_armed = False


def interrupt(number, frame):
    global is_armed
    if is_armed:
        is_armed = False
        raise KeyboardInterrupt


class Sender:
    pass


calls = []
stable = [lambda i=i, **named: calls.append(i) for i in range(20)]


def hear(**named):
    pass


class Cycle:
    """Garbage with a receiver in it."""

    def __init__(self):
        self.cycle = self

    def hear(self, **named):
        pass


def register(signal):
    signal.connect(hear)
    signal.connect(lambda **named: None)  # dead at once, so that it is swept
    signal.send(Sender)
    signal.connect(Cycle().hear, sender=Sender)
    signal.disconnect(hear)


def work(signal):
    if sys.argv[1] == "standalone":
        register(signal)
    signal.send_robust(Sender, x=1)
    signal.has_listeners(Sender)
    signal.receivers = list(signal.receivers)
    signal.send(Sender, x=1)


def problems_of(signal):
    free = []

    def take_lock():
        free.append(signal.lock.acquire(timeout=10))
        if free[0]:
            signal.lock.release()

    thread = threading.Thread(target=take_lock)
    thread.start()
    thread.join()
    if free != [True]:
        return ["the lock is taken"]
    problems = []
    signal.disconnect(hear)
    calls.clear()
    signal.send(Sender)
    if calls != list(range(20)):
        problems.append(f"called {calls}")
    # New receivers may have the ids of receivers whose death went unnoticed.
    late = [lambda **named: None for _ in range(10)]
    for each in late:
        signal.connect(each)
    reached = [receiver for receiver, _ in signal.send(Sender)]
    # Django compares only the ids.
    if sys.argv[1] != "django" and [each for each in reached if each in late] != late:
        problems.append("does not call all new receivers")
    return problems


def work_until_interrupted(signal):
    global is_armed
    register(signal)
    is_armed = True
    while is_armed:
        work(signal)


def main():
    interrupts, problems = 0, []
    signals.signal(signals.SIGINT, interrupt)
    sys.unraisablehook = lambda unraisable: None
    signal = Signal()
    for each in stable:
        signal.connect(each)
    gc.collect()
    if hasattr(gc, "freeze"):  # PyPy has no gc.freeze()
        gc.freeze()
    print("ready", flush=True)
    while interrupts < int(sys.argv[2]) and not problems:
        with contextlib.suppress(KeyboardInterrupt):
            work_until_interrupted(signal)
        interrupts += 1
        problems = problems_of(signal)
        if interrupts % 20 == 0:
            gc.collect()
    signals.signal(signals.SIGINT, signals.SIG_IGN)
    print(json.dumps({"interrupts": interrupts, "problems": problems}))


main()
