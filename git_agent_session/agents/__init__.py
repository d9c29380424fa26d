"""Capture of coding agents: one module an agent, behind the small protocol of `protocol`."""
