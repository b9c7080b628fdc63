"""Files of games, in PGN or tab-separated, plain or compressed, become games."""
