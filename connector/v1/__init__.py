"""The wire contract in Python; `make proto` writes this package, nobody edits it."""
