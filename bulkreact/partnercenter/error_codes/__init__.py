"""Partner Center's error codes: what they mean, who must act and how."""
