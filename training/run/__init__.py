"""One run: the loop, its processes, its folder, and weights to begin with."""
