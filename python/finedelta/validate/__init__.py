"""The validation report: what finedelta does with given models, measured on this machine."""
