"""The simulator's token service with what tests do to it from outside: registering apps, issuing and revoking tokens."""

from bulkreact.simulator.identity.directory import App, Directory


class ControlledDirectory(Directory):
    """A directory that a test controls."""

    def register(self, app: App) -> None:
        """Add an app; from the first one on, only registered apps get tokens."""
        self.apps.append(app)

    def accepts(self, token: str) -> bool:
        """Return whether the API accepts an access token now."""
        access = self.valid_access_token(token)
        return access is not None and not self.lacks_mfa(access)

    def issue_refresh_token(self, client_id: str, tenant: str, *, public: bool = False) -> str:
        """Return a refresh token as an earlier sign-in would have obtained it."""
        return self._store_refresh_token(client_id, tenant, self.user, public=public)

    def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token."""
        self._refresh[refresh_token].revoked = True

    def revoke_all(self) -> None:
        """Revoke all refresh tokens that were issued so far."""
        for token in self._refresh.values():
            token.revoked = True

    def revoke_access_tokens(self) -> None:
        """Let the API refuse all access tokens that were issued so far."""
        for token in self._access.values():
            token.revoked = True

    @property
    def user_codes(self) -> list[str]:
        """The codes of sign-ins that wait for approval."""
        pending = [sign_in for sign_in in self._devices if sign_in.state == "pending"]
        return [sign_in.user_code for sign_in in pending if sign_in.expires_at > self.clock()]
