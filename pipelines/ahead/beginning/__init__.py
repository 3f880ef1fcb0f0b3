"""`grmforge init`: what the data is, what an endpoint takes, which form of a judgement reads best, and the recipe."""
