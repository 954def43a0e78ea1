"""The GitHub Action: from an event to a verdict that is told."""
