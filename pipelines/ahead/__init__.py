"""Before a build: a recipe (beginning), what it would ask (planning), a little of it asked (probing), the doctor."""
