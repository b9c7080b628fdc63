"""The engine's conversation with a GUI: lines, options, the order of things, threads and pipes."""
