"""Access tokens: where they come from, what they claim, how they are kept."""
