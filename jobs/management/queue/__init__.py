"""What `manage.py jobs` does, apart from its command line.

Each action is a function that takes a `Console` and the parsed options, and returns the
exit status.
"""
