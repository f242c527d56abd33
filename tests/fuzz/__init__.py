"""Fuzzing: random lives of signals beside Django's, and random calls of the compiled engine beside the Python one.

``python -m tests.fuzz`` in a checkout runs both for long (__main__.py). What a life is, machine_run.py and the machine
in ``tests/differential/machine.py`` say; what calls there are, calls.py says. How atheris gets at the compiled code,
atheris_run.py does.
"""
