"""Games are played: openings, schedule, rules, and results on disk."""
