"""What every function ships with: the rules, the store, and how requests are read and answered."""
