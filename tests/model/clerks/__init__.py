"""What the clerk of `points_one_by_one` does in a program with everything: one file for each part of the office."""
