"""Fuzzing: random lives of signals beside Django's, and random calls of the compiled engine beside the Python one.

``python -m tests.fuzz`` in a checkout runs both for long (__main__.py). What a life is, lives.py and the machine in
``tests/life.py`` say; what calls there are, calls.py says. How atheris gets at the compiled code, atheris_run.py does.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent

if str(TESTS) not in sys.path:  # where pytest has it; conftest.py and its helpers are found there
    sys.path.insert(0, str(TESTS))
