"""Consent: which text was agreed to, by whom, when and where."""
