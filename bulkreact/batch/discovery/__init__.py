"""Reading what could be reactivated: customers, subscriptions, entitlements."""
