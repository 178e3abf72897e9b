"""A coalition that tries to get what is not theirs, and the oracle of what they may have at most."""
