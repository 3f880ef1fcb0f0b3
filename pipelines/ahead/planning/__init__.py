"""What a build would read and ask, before anything is spent."""
