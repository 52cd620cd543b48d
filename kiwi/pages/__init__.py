"""The page that shows an evaluation: one file of HTML that loads nothing."""
