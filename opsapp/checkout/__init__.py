"""Payment links: what a shopper is asked to pay, and whether it was paid."""
