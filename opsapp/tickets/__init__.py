"""Cases for a person in customer service."""
