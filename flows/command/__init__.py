"""The command `grmforge`. No Prefect here; what is heavy is imported by the command that needs it."""
