"""An answer to a question with a known answer: right, wrong or undecided. No model is asked."""
