"""Customers and their payment methods (billing keys, encrypted)."""
