"""One participant's connector: publishes, negotiates, exchanges, and records what happened."""
