"""Task backends for deferred receivers, each an adapter to a task queue that a project already runs."""
