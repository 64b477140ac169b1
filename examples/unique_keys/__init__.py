"""Unique keys and priorities: enqueue a job twice, and have it performed once."""
