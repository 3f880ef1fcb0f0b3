"""What a judge is shown, what it answered, and how that is read: what every stage shares of judging."""
