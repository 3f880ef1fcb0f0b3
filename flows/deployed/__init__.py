"""The Prefect flows, over the same steps as the command."""
