"""What a report is made of, and as what it is written: a page, Markdown, JSON."""
