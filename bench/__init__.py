"""The benchmarks. ``python -m bench`` runs all of them and reports; ``pytest bench/`` runs each as a test.

``test_*.py`` have the cases, ``contestants.py`` the dispatchers, and ``bars.py`` the limits that results must meet.
``floor.c`` is the fastest possible dispatcher, for comparison.
"""
