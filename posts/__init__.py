"""Posts: the first half of the sample application's REST API, and its sample jobs."""
