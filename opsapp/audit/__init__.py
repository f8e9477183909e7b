"""Seals and verifies the log: Merkle roots in a chain, signed anchors outside the database."""
