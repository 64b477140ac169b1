"""Methods as jobs: without a job class, by `jobs.delay` or by a decorator."""
