"""Before a build: what it would ask (planning), a little of it asked (probing), and whether all is there (doctor)."""
