"""The management commands. Each is in the module of its name."""
