"""One job on AWS Batch, from its reservation to its outcome."""
