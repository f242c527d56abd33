"""The benchmarks: ``python -m bench`` runs them all and reports, ``pytest bench/`` runs them one by one.

What is measured stands in ``test_*.py``; who is measured in ``contestants.py``, and the floor in ``floor.c``.
What the figures must show is in ``bars.py``.
"""
