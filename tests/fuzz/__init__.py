"""Fuzzing. ``python -m tests.fuzz`` in a checkout runs two kinds of random tests for a long time (__main__.py).

* The machine compares random sequences of operations on signals with Django's signals: see machine_run.py and
  ``tests/differential/machine.py``.
* Random calls of the compiled implementation are compared with the Python implementation: see calls.py, and
  atheris_run.py for the fuzzer.
"""
