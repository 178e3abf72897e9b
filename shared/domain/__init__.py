"""The rules: pure functions of an account, a program and an instant. No AWS, no environment, no clock."""
