"""A local payment gateway that speaks the Toss Payments core API, with faults on demand.

A process of its own (`python -m sandbox`), with its own storage. It imports nothing of the
application and the application imports nothing of it: they meet over HTTP only.
"""
