"""A simulated Partner Center for practice and tests; it does not depend on the client."""
