"""Results become tables, PGN, plots and pages."""
