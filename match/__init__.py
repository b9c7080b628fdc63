"""Players, openings, concurrent games, ratings and reports."""
