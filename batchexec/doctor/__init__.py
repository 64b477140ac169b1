"""Finds out what is wrong with a deployment: `manage.py batchexec doctor`."""
