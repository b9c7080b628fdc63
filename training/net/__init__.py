"""The network and its optimiser."""
