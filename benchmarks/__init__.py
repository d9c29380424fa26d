"""Benchmarks of git agent-session: what it costs, with plain git beside it in the same run. Start `benchmarks/run`."""
