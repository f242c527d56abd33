"""Names of receivers, senders and signals (naming.py, signal_names.py), found without running anybody's code.

attributes.py has the look-ups that all of csignals uses for that.
"""
