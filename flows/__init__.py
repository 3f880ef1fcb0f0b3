"""The outermost shell: cli, the command; training_sets, the Prefect flows; watching, tally, progress, interruption."""
