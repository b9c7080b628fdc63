"""Games become a data set, a data set becomes a checkpoint."""
