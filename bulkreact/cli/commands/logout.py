"""``bulkreact logout``: forgets a sign-in."""

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.credentials import sign_in_identity, signed_in
from bulkreact.cli.options.identity import sign_in_options
from bulkreact.errors import InputRefusedError
from bulkreact.runs.state_dir import state_folder
from bulkreact.settings import Cloud


@click.command("logout", cls=ConfiguredCommand)
@sign_in_options
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Forget the sign-in of this machine; where there are several, --tenant-id or --client-id says which.

    Microsoft does not hear of it: whoever has stolen the sign-in must be locked out by revoking the user's sessions.
    """
    from bulkreact.partnercenter.auth.sign_ins import damaged, records, sign_in_for  # noqa: PLC0415 - MSAL takes 100 ms

    for place in damaged(state_folder()):
        with place.exclusive():
            # Unless somebody was just signing in.
            if place.damaged:
                place.delete()
                click.echo(f"What was left of a damaged sign-in is removed: {place.file}", err=True)
    cloud = Cloud(ctx.params["cloud"])
    record = signed_in(ctx.params, cloud, ctx.params["tenant_id"] or "")
    if record is None and (others := records(state_folder())):
        names = "; ".join(f"--cloud {one.cloud} --tenant-id {one.tenant_id} ({one.user})" for one in others)
        raise InputRefusedError(f"Nobody is signed in there. There are other sign-ins: {names}")
    if record is None:
        click.echo("Nobody is signed in: nothing to forget.", err=True)
        return
    place = sign_in_for(state_folder(), sign_in_identity(ctx, cloud))
    with place.exclusive():
        place.delete()
    click.echo(f"The sign-in of {record.user or 'a user'} is forgotten on this machine.", err=True)
