"""Scripts that train on the snapshot that they are published with. Each stands alone; nothing here imports them."""
