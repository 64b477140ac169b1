"""A job with hooks and its own back-off."""
