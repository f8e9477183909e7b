"""Benchmarks, the fault campaign and the pictures: measured on a running system."""
