"""Makes everything that a run needs from its config: gateway, targets with their cages, scorers."""
