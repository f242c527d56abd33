"""The project of test_signals_command.py: signals and receivers of many kinds, in an app with models."""
