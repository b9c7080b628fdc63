"""Search over the net: more evaluations for one move. Pure: positions and evaluations in, lines out."""
