"""Five successive pages of a gateway stop a run, if they concern more than one customer."""

from bulkreact.batch.dispatch.gateway_breaker import GatewayBreaker


def test_five_pages_of_two_customers_stop_the_run() -> None:
    breaker = GatewayBreaker(customers=8)
    assert [breaker.record_page(customer) for customer in "aaaab"] == [False] * 4 + [True]


def test_pages_of_one_customer_stop_the_run_only_if_it_has_no_other() -> None:
    many, alone = GatewayBreaker(customers=8), GatewayBreaker(customers=1)
    assert [many.record_page("a") for _ in range(9)] == [False] * 9
    assert [alone.record_page("a") for _ in range(5)] == [False] * 4 + [True]


def test_an_answer_of_the_service_ends_the_series() -> None:
    breaker = GatewayBreaker(customers=8)
    assert not any(breaker.record_page(customer) for customer in "abab")
    breaker.record_answer()
    assert [breaker.record_page(customer) for customer in "aaaab"] == [False] * 4 + [True]
