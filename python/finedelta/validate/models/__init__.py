"""The models of a run: real ones, synthetic ones, smaller ones cut from them."""
