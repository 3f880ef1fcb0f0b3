"""Records of stages and files: query, preference, generation, trajectory, training, manifest; recipe; errors."""
