"""AWS Batch as the hand-over sees it: its calls, names, statuses and reasons."""
