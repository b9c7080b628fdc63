"""Scores become ratings, intervals and verdicts. Pure arithmetic."""
