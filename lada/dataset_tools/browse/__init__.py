"""A page on which all clips of a dataset are looked through, and marked to be dropped."""
