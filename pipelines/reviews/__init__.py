"""Reviews by people: which sets they look at, what they find, and what that says of the labels."""
