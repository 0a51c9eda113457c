"""HTTP: what others fetch from this connector with tools that nobody here wrote. Today that is OPA."""
