"""The life of a run: queue, checks, the detached runner, following it, finishing it."""
