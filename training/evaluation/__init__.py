"""What a trained net is worth on held-out games, and how runs compare."""
