"""The made-up people of ``--sign-in practice``, who stand for the roles of a team. No I/O."""

from collections.abc import Mapping

from bulkreact.web.permissions import Person, Role
from bulkreact.web.refusals import bad_field

_ROLES: Mapping[str, tuple[Role, ...]] = {
    "Ann": (Role.UPLOADER,),
    "Ben": (Role.APPROVER,),
    "Cleo": (Role.UPLOADER, Role.APPROVER),
    "Vic": (Role.VIEWER,),
    "Ada": (Role.ADMIN,),
    "Nora": (),
}
PEOPLE: Mapping[str, Person] = {name.lower(): Person(name.lower(), name, roles) for name, roles in _ROLES.items()}


def find_person(name: str) -> Person:
    """Return the person with an id; RequestRefusedError if nobody has it."""
    if name not in PEOPLE:
        raise bad_field("person", f"person is one of: {', '.join(PEOPLE)}.")
    return PEOPLE[name]
