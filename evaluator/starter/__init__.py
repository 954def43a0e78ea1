"""First steps in a repository: sees which evaluations are there, imports them, and writes the first files."""
