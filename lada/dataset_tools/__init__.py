"""Creating, splitting and checking datasets of clips; what ``scripts/dataset_creation`` call."""
