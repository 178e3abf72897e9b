"""The sections of a program, one module for each."""
