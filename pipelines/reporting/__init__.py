"""What people see: acceptance, examples, report, card, over funnel, meanings, visible; publication writes them."""
