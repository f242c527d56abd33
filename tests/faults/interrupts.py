"""Connects, disconnects and sends until it has been interrupted as often as asked, and says what was wrong in between.

    python interrupts.py PLACE COUNT

PLACE is "standalone" or "django"; there it only sends, as an interrupt while Django itself connects or disconnects
leaves its lock taken. Somebody else has to send the interrupts, once this has printed "ready".
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
    signal.connect(lambda **named: None)  # dead at once, to be swept
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
    # A new receiver, perhaps in the place of one whose death nobody has noted.
    late = [lambda **named: None for _ in range(10)]
    for each in late:
        signal.connect(each)
    reached = [receiver for receiver, _ in signal.send(Sender)]
    # Django goes by the ids alone.
    if sys.argv[1] != "django" and [each for each in reached if each in late] != late:
        problems.append("is deaf to a new receiver")
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
    if hasattr(gc, "freeze"):  # PyPy's has not
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
