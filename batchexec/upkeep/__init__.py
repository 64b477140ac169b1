"""Finds markers that have outlived their execution, and whatever else disagrees."""
