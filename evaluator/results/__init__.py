"""From the journal to numbers, and to the result document."""
