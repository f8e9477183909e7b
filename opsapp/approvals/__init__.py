"""A second person decides what is too much for one, and the policy that says what that is."""
