"""The page of the explorer: HTML, styles and scripts, as a browser reads them."""
