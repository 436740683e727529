"""Headers as people write them: found by any name they have for a column, and never guessed."""

import shlex

import pytest

from bulkreact.sheets.columns import ID_COLUMNS, ColumnError, HeaderRule, find_layout
from bulkreact.sheets.header_aliases import _ALIASES, _COLUMNS, column_of, header_key
from tests.support.ids import guid, row
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses

NAMES = {
    "Partner Center": ("Microsoft ID", "Subscription ID", "Azure entitlement ID"),
    "an export": ("customer-tenant-id", "id-for-subscription", "azure-entitlement-id"),
    "an SDK": ("CustomerId", "SubscriptionId", "EntitlementId"),
    "German": ("Kunden-ID", "Abonnement-ID", "Berechtigungs-ID"),
    "French": ("Identifiant du client", "ID d\u2019abonnement", "ID d'abonnement Azure"),
    "Spanish": ("ID de cliente", "ID de suscripci\u00f3n", "ID de suscripci\u00f3n de Azure"),
    "Italian": ("ID cliente", "ID sottoscrizione", "ID sottoscrizione di Azure"),
    "Portuguese": ("ID do cliente", "ID da assinatura", "ID da assinatura do Azure"),
    "Dutch": ("Klant-id", "Abonnements-id", "Azure-abonnements-id"),
    "Polish": ("Identyfikator klienta", "Identyfikator subskrypcji", "Identyfikator subskrypcji platformy Azure"),
    "Japanese": ("顧客 ID", "サブスクリプション ID", "エンタイトルメント ID"),
}


@pytest.mark.parametrize("where", NAMES)
def test_the_columns_are_found_by_what_people_call_them(where: str) -> None:
    assert [column_of(name) for name in NAMES[where]] == list(ID_COLUMNS)
    assert find_layout([*reversed(NAMES[where]), "note"]).ids == (2, 1, 0)


@pytest.mark.parametrize(
    "name",
    [
        "customer_id",
        "CUSTOMER ID",
        " Customer-Id ",
        "customerId",
        "customer\u00a0id",
        "\uff23ustomer\uff29\uff24",
        "Cust\u00f3mer id",
        "customer_id:",
    ],
)
def test_case_spaces_punctuation_width_and_accents_make_no_difference(name: str) -> None:
    assert column_of(name) == "customer_id"


def test_no_name_belongs_to_two_columns() -> None:
    assert len(_COLUMNS) == len(
        {header_key(alias) for column, aliases in _ALIASES.items() for alias in (column, *aliases)}
    )
    claims = [(header_key(alias), column) for column, aliases in _ALIASES.items() for alias in (column, *aliases)]
    assert {_COLUMNS[alias] == column for alias, column in claims} == {True}


@pytest.mark.parametrize("name", ["customer", "Customer name", "Subscription", "Offer", "kind", "", "  ", "id"])
def test_other_columns_are_left_alone(name: str) -> None:
    assert column_of(name) is None


def test_two_headers_that_claim_one_column_are_both_named() -> None:
    with pytest.raises(ColumnError) as error:
        find_layout(["Customer ID", "Microsoft ID", "subscription_id", "entitlement_id"])
    assert "'Customer ID' and 'Microsoft ID'" in str(error.value)
    assert "--map customer_id=" in str(error.value)
    assert find_layout(
        ["Customer ID", "Microsoft ID", "subscription_id", "entitlement_id"],
        HeaderRule({"customer_id": "Microsoft ID"}),
    ).ids == (1, 2, 3)


@pytest.mark.parametrize("name", ["Custmer's ID", "Customre$(id)", "Custmer ID."])
def test_a_suggestion_can_be_pasted_into_a_shell(name: str) -> None:
    with pytest.raises(ColumnError) as error:
        find_layout([name, "subscription_id", "entitlement_id"])
    assert shlex.split(str(error.value).partition("Perhaps: ")[2]) == ["--map", f"customer_id={name}"]


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(ColumnError) as error:
        find_layout(["Custmer ID", "subscription_id", "entitlement", "note"])
    assert "missing in the header: customer_id, entitlement_id" in str(error.value)
    assert "--map customer_id='Custmer ID'" in str(error.value)
    assert "--map entitlement_id=entitlement" in str(error.value)


def test_ids_without_a_header_show_the_fix() -> None:
    with pytest.raises(ColumnError, match="customer_id,subscription_id,entitlement_id"):
        find_layout([*row(guid(1)), "note"])


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"customer_id": "Nobody"}, "no column is called that"),
        ({"customer_id": "SAME"}, "more than one column is called that"),
        ({"customer_id": "a", "subscription_id": "a"}, "one header for two columns"),
    ],
)
def test_a_wrong_mapping_of_a_column_is_refused(named: dict[str, str], message: str) -> None:
    with pytest.raises(ColumnError, match=message):
        find_layout(["a", "same", "Same", "customer_id", "subscription_id", "entitlement_id"], HeaderRule(named))


def test_a_header_can_be_named_on_the_command_line_and_in_the_file(program: Program, partner: Partner) -> None:
    customer, subscription, entitlement = row(guid(1))
    (program.folder / "input.csv").write_text(f"who,what,which\n{customer},{subscription},{entitlement}\n")
    target = ("run", "input.csv", "--base-url", partner.base_url, *FAST)
    named = ("--map", "customer_id=who", "--map", "subscription-id=What")
    assert program(*target).code == 2
    process = program(*target, *named, "--map", "entitlement_id=which")
    assert process.code == 0, process.err
    assert row_statuses(process.run) == ["accepted"]
    (program.folder / "bulkreact.toml").write_text(
        '[run]\nmap = ["customer_id=who", "subscription_id=what", "entitlement_id=which"]\n'
    )
    assert program(*target, "--limit", "0").code == 0
    (program.folder / "bulkreact.toml").write_text('[run]\nmap = ["customer=who"]\n')
    refused = program(*target)
    assert refused.code == 2
    assert "does not name a column" in refused.err
    (program.folder / "bulkreact.toml").unlink()
    assert program(*target, *named, "--map", "customer_id=which").code == 2
