"""What a person on call sees of jobs, and does to them."""
