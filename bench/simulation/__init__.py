"""Simulated apps, and the gate's error rates on them."""

from bench.simulation.apps import EFFECTS, METRICS, NOISE, App, Effect, draw_pair
from bench.simulation.rates import Cell, Rates, rates

__all__ = ["EFFECTS", "METRICS", "NOISE", "App", "Cell", "Effect", "Rates", "draw_pair", "rates"]
