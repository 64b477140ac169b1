"""Comments on posts: the second half of the sample application's REST API."""
