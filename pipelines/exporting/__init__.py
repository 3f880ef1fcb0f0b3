"""A snapshot as each trainer reads it: data files, dataset entry, command or config, reward, and a check of them."""
