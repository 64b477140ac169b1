"""What all the slots of one worker process share."""
