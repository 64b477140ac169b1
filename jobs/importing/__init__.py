"""Jobs of Delayed Job, the Ruby library, as jobs of this queue."""
