"""The commands of bin/match, a module each."""
