"""What of each payment belongs to which seller, to the won."""
