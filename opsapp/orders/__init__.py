"""One-off orders; each is collected by one payment."""
