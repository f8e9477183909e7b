"""A deterministic world around the real verbs: virtual clock, lossy queue, seeded gateway."""
