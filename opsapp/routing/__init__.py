"""Which gateway is asked for what, and whether it is well enough to be asked."""
