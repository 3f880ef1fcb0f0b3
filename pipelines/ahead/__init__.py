"""Before a build: what it would read and ask (planning), a little of it (probing), and whether all is there (doctor)."""
