"""What happened, told to the shop's programs: events out of the log, sent to its addresses."""
