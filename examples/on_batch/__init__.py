"""A job on AWS Batch, or on the local one: enqueued like any other."""
