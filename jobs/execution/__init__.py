"""One execution of a job: performed, interrupted, recorded."""
