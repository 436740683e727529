"""What Partner Center's error codes mean, who must act and how."""
