"""Adapters by which deferred receivers come to the task engine that a team already runs: one for each."""
