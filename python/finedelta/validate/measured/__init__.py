"""What a run finds out, a file for each kind of it; and what it is measured with."""
