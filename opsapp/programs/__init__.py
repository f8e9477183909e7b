"""Programs of the shop: their keys, what they may do, and the answers they were given."""
