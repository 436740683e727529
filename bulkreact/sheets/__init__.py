"""The files people make and read: inputs, identifiers, results."""
