"""What the version lanes ran: their results, and the table that is made of them."""
