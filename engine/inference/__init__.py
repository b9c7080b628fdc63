"""The net's answers while playing: evaluations, the cache of each game, sampling. Knows no protocol."""
