"""What a worker process is made of."""
