"""From trajectories to training rows: decisions, assembly, rft, rl, meta_rm, pairs."""
