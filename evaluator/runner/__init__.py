"""Runs the cases of both refs and keeps the journal."""
