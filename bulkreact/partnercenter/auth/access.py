"""Credentials after the first look, and which runs they may continue."""

from dataclasses import dataclass

from bulkreact.guids import is_guid
from bulkreact.partnercenter.auth.access_tokens import Credentials


@dataclass(frozen=True, slots=True)
class AuthorizedAccess:
    """Credentials after the first look: the tenant they are for and why they are no good, if so.

    ``tenant_id`` is what is known for sure, else what was ``named``; both are empty when nothing is said of a tenant.
    """

    credentials: Credentials
    tenant_id: str = ""
    named: str = ""
    refusal: str = ""
    remark: str = ""

    def matches_tenant(self, tenant_id: str | None) -> bool:
        """Tell whether a run may be continued that was made for a tenant: a GUID, a domain or nothing known."""
        names = {self.tenant_id, self.named} - {""}
        if not tenant_id or not names or tenant_id in names:
            return True
        # Without a token nothing is sent, and nobody can tell which GUID a domain stands for: only what is surely another.
        return bool(self.refusal) and not any(is_guid(name) is is_guid(tenant_id) for name in names)
