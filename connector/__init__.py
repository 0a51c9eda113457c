"""One participant's connector: publishes, negotiates, exchanges, and records what happened."""

__version__ = "0.1.0"
