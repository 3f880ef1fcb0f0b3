"""What an export holds beside its data: `<trainer>.<set>.<file>`; scripts and configs are templates, Python is not."""
