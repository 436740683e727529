"""The names of id columns in Partner Center, its exports and SDKs, and in several languages. No I/O."""

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher, get_close_matches

# The minimum similarity to a known name at which a header is suggested.
_SIMILARITY = 0.75
# Letters that do not decompose into a base letter and an accent.
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})

_ALIASES = {
    "customer_id": (
        "customer tenant id", "customer guid", "customer microsoft id", "microsoft id",
        "tenant id", "commerce customer id", "end customer id",
        "Kunden-ID", "Kundenkennung", "Kundenmandanten-ID", "Mandanten-ID", "Kunde Mandanten-ID", "Microsoft-ID Kunde",
        "ID client", "ID du client", "identifiant client", "identifiant du client", "ID de locataire",
        "ID de locataire du client", "ID du locataire client", "identifiant Microsoft",
        "ID de cliente", "ID del cliente", "ID cliente", "identificador de cliente", "identificador del cliente",
        "ID de inquilino", "ID de inquilino del cliente", "identificador de Microsoft",
        "identificativo cliente", "ID tenant cliente", "ID del tenant", "ID tenant del cliente",
        "ID do cliente", "identificador do cliente", "ID de locatário", "ID do locatário", "ID do locatário do cliente",
        "klant-id", "id van klant", "klantidentificatie", "tenant-id van klant", "tenant-id klant",
        "identyfikator klienta", "ID klienta", "identyfikator dzierżawy", "identyfikator dzierżawy klienta", "ID dzierżawy",
        "顧客ID", "お客様ID", "顧客テナントID", "テナントID",
    ),
    "subscription_id": (
        "subscription guid", "id for subscription", "azure plan id", "azure plan subscription id",
        "commerce subscription id", "partner center subscription id", "plan subscription id",
        "Abonnement-ID", "Abonnements-ID", "Abo-ID", "Abonnementkennung", "Azure-Plan-ID",
        "ID d'abonnement", "ID de l'abonnement", "ID abonnement", "identifiant d'abonnement",
        "identifiant de l'abonnement", "ID du plan Azure",
        "ID de suscripción", "ID de la suscripción", "ID suscripción", "identificador de suscripción",
        "identificador de la suscripción", "ID del plan de Azure",
        "ID sottoscrizione", "ID della sottoscrizione", "ID abbonamento", "ID dell'abbonamento",
        "identificativo sottoscrizione", "ID piano di Azure",
        "ID da assinatura", "ID de assinatura", "ID da subscrição", "ID de subscrição", "identificador da assinatura",
        "identificador da subscrição", "ID do plano do Azure",
        "id van abonnement", "abonnementsidentificatie", "Azure-abonnement plan-id",
        "identyfikator subskrypcji", "ID subskrypcji", "identyfikator planu platformy Azure",
        "サブスクリプションID", "サブスクリプション ID", "AzureプランID",
    ),
    "entitlement_id": (
        "azure entitlement id", "azure subscription id",
        "azure subscription guid", "entitlement guid", "subscription id (azure)",
        "Berechtigungs-ID", "Azure-Berechtigungs-ID", "Azure-Abonnement-ID", "Azure-Abonnements-ID", "Azure-Abo-ID",
        "ID d'abonnement Azure", "ID de l'abonnement Azure", "identifiant d'abonnement Azure", "ID de droit",
        "ID du droit", "ID du droit Azure", "identifiant du droit",
        "ID de suscripción de Azure", "ID de la suscripción de Azure", "ID suscripción Azure", "ID de derecho",
        "ID de derecho de Azure", "identificador de derecho",
        "ID sottoscrizione di Azure", "ID della sottoscrizione di Azure", "ID sottoscrizione Azure", "ID entitlement",
        "ID diritto", "ID del diritto",
        "ID da assinatura do Azure", "ID de assinatura do Azure", "ID da subscrição do Azure", "ID do direito",
        "ID de direito", "ID de subscrição do Azure",
        "Azure-abonnements-id", "id van Azure-abonnement", "rechten-id", "recht-id", "Azure-rechten-id",
        "identyfikator subskrypcji platformy Azure", "ID subskrypcji platformy Azure", "ID subskrypcji Azure",
        "identyfikator uprawnienia", "ID uprawnienia",
        "エンタイトルメントID", "AzureエンタイトルメントID", "AzureサブスクリプションID", "権利ID",
    ),
}  # fmt: skip


def header_key(name: str) -> str:
    """Return a name without case, spaces, punctuation, width and accents."""
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold().translate(_LETTERS))
    return "".join(char for char in plain if char.isalnum())


_COLUMNS = {header_key(alias): column for column, aliases in _ALIASES.items() for alias in (column, *aliases)}


def column_of(name: str) -> str | None:
    """Return the id column that a header names, None if it names none."""
    return _COLUMNS.get(header_key(name))


def closest_alias(column: str, header: Sequence[str]) -> str | None:
    """Return the header most similar to one of a column's names, None if none is similar."""
    unknown = {header_key(name): name for name in header if column_of(name) is None}
    aliases = (alias for alias, holder in _COLUMNS.items() if holder == column)
    close = ((alias, key) for alias in aliases for key in get_close_matches(alias, unknown, n=1, cutoff=_SIMILARITY))
    best = max(close, key=lambda pair: SequenceMatcher(None, *pair).ratio(), default=None)
    return unknown[best[1]] if best else None


def close_header(name: str, header: Sequence[str]) -> str | None:
    """Return the header most similar to a name, None if none is similar."""
    keys = {header_key(other): other for other in header}
    matches = get_close_matches(header_key(name), keys, n=1, cutoff=_SIMILARITY)
    return keys[matches[0]] if matches else None
