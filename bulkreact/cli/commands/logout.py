"""``bulkreact logout``: removes a sign-in from this machine."""

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.credentials import identity_options
from bulkreact.cli.options.identity import sign_in_options
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.credential_source import matching_sign_in, sign_in_identity
from bulkreact.partnercenter.auth.sign_in_records import records
from bulkreact.runs.state_dir import state_folder
from bulkreact.settings import Cloud


@click.command("logout", cls=ConfiguredCommand)
@sign_in_options
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Remove the sign-in from this machine; where there are several, --tenant-id or --client-id says which.

    Microsoft is not notified: to lock out a thief of the sign-in, revoke the user's sessions.
    """
    from bulkreact.partnercenter.auth.sign_ins import find_damaged, sign_in_for  # noqa: PLC0415 - MSAL takes 100 ms

    state = state_folder()
    for sign_in in find_damaged(state):
        with sign_in.exclusive():
            # Checked again under the lock: a sign-in may just have been completed.
            if sign_in.is_damaged:
                sign_in.delete()
                echo(f"Removed what was left of a damaged sign-in: {sign_in.file}", err=True)
    options, sign_ins = identity_options(ctx, Cloud(ctx.params["cloud"])), records(state)
    record = matching_sign_in(options, sign_ins)
    if record is None and sign_ins:
        names = "; ".join(f"--cloud {other.cloud} --tenant-id {other.tenant_id} ({other.user})" for other in sign_ins)
        raise InputRefusedError(f"Nobody is signed in there. There are other sign-ins: {names}")
    if record is None:
        echo("Nobody is signed in: nothing to remove.", err=True)
        return
    sign_in = sign_in_for(state, sign_in_identity(options, sign_ins))
    with sign_in.exclusive():
        sign_in.delete()
    echo(f"Removed the sign-in of {record.user or 'a user'} from this machine.", err=True)
