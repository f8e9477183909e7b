"""Plans: what a subscription costs and how often it is charged."""
