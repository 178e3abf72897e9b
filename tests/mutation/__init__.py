"""Would a test notice? The rules and the store are broken on purpose, one small change at a time, and tests must fail.

`python -m tests.mutation --sample 150 --seed 1` breaks a random sample, and prints what share the tests noticed.
"""
