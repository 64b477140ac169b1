"""The same benchmarks for django-tasks-db, in a virtual environment of its own."""
