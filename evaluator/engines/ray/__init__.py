"""The `ray` engine: the units of a run on several worker processes, of one machine or of a cluster."""
