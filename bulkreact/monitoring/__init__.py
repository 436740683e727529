"""Reports how a command ended: metrics, a dead-man's switch and webhooks."""
