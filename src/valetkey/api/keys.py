"""Keys: their ages and what hangs on them, making new ones, and moving what hangs on the older. Never a key itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, actor_of, demand_act
from valetkey.api.services import Services
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act
from valetkey.kernel.errors import BadInput, Forbidden, NotFound, StartRefused
from valetkey.kernel.secret import Secret
from valetkey.vault.model import EveryTenant, OneTenant, Tenants
from valetkey.vault.rotation import KeyStatus, Rewrapped

router = APIRouter(prefix="/keys", tags=["keys"])

Reader = Annotated[Principal, Depends(Needs(Scope.KEYS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.KEYS_WRITE, operator=True))]
Operator = Annotated[Principal, Depends(OnlyOperator())]
OrganizationQuery = Annotated[
    str, Query(max_length=40, description="Id: of this organization only. Otherwise of those the asker may see.")
]

_SECONDS = 2.0  # of rewrapping for one request: then the asker hears how far it came, and asks again
_FRESH = timedelta(hours=1)


class RootShown(BaseModel):
    version: int
    key_id: str = Field(description="Names the key without telling anything about it.")
    organization_keys: int = Field(description="How many keys of organizations hang on this version.")
    scheme: str = Field(description="Its provider, as `--root-key` has it.")
    place: str = Field(description="Where it is. No secret.")
    at_hand: bool = Field(description="False when the hub does not have it: then put it back.")


class KeysShown(BaseModel):
    roots: list[RootShown] = Field(description="Versions of the root key; the last wraps. The operator's to see.")
    organizations: int
    organization_keys: int
    organization_keys_on_older_roots: int
    data_keys: int
    data_keys_on_older_keys: int
    oldest_at: datetime | None = Field(description="When the oldest of the organizations' keys in use was made.")

    @classmethod
    def of(cls, status: KeyStatus, *, with_roots: bool) -> KeysShown:
        counts = status.counts
        return cls(
            roots=[
                RootShown(
                    version=root.version,
                    key_id=root.key_id,
                    organization_keys=root.keys,
                    scheme=root.scheme,
                    place=root.place,
                    at_hand=root.is_at_hand,
                )
                for root in status.roots
                if with_roots
            ],
            organizations=counts.tenants,
            organization_keys=counts.tenant_keys,
            organization_keys_on_older_roots=counts.tenant_keys_on_older_roots,
            data_keys=counts.data_keys,
            data_keys_on_older_keys=counts.data_keys_on_older_keys,
            oldest_at=counts.oldest,
        )


class Rotate(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RotateRoot(BaseModel):
    model_config = ConfigDict(extra="forbid")
    to: str = Field(
        default="", max_length=500, description="Another root key, as `--root-key` has it. Empty: the same provider's."
    )
    passphrase: SecretStr = Field(default=SecretStr(""), max_length=1024, description="For passphrase:prompt.")


class NewKit(BaseModel):
    model_config = ConfigDict(extra="forbid")
    public_key: str = Field(pattern=r"^[0-9a-f]{64}$", description="X25519, in hex. The private half never comes here.")


class KitShown(BaseModel):
    number: int


class Rotated(BaseModel):
    version: int


class RewrappedShown(BaseModel):
    organization_keys: int
    data_keys: int
    damaged: int = Field(description="Keys that do not open under the key they name; they stay as they are.")
    destroyed: int = Field(description="Older keys of organizations on which nothing hung any more.")
    done: bool = Field(description="False when there is more: ask again.")

    @classmethod
    def of(cls, done: Rewrapped) -> RewrappedShown:
        return cls(
            organization_keys=done.tenant_keys,
            data_keys=done.data_keys,
            damaged=done.damaged,
            destroyed=done.destroyed,
            done=done.is_done,
        )


async def _among(who: Principal, rooms: Services, organization: str) -> Tenants:
    if who.kind == "operator":
        return OneTenant((await rooms.organizations.get(organization)).id) if organization else EveryTenant()
    if organization not in ("", who.organization_id):
        raise NotFound("There is no such organization.")
    return OneTenant(who.organization_id)


async def demand_fresh(who: Principal, rooms: Services) -> None:
    """A token that changes keys was made within the hour, so by somebody who was signed in then."""
    if who.kind == "operator":
        return
    own = {info.id: info for info in await rooms.tokens.list(who.person_id)}
    info = own.get(who.credential_id)
    if info is None or rooms.clock.now() - info.created_at > _FRESH:
        raise Forbidden("This needs a token made within the last hour.", hint="Make one, and revoke it after.")


@router.get("", operation_id="show_keys")
async def show_keys(who: Reader, rooms: Rooms, organization: OrganizationQuery = "") -> KeysShown:
    """Ages, counts, and what is left on older keys."""
    demand_act(who, Act.SEE_KEYS)
    status = await rooms.rotation.status(await _among(who, rooms, organization))
    return KeysShown.of(status, with_roots=who.kind == "operator")


@router.post("/rotate/root", operation_id="rotate_root_key")
async def rotate_root_key(new: RotateRoot, who: Operator, rooms: Rooms) -> Rotated:
    """A new root key, which wraps from now on. Rewrap after, and back it up."""
    await rooms.trail.write("key.rotate_root", actor=actor_of(who))
    if not new.to:
        return Rotated(version=await rooms.rotation.rotate_root())
    if new.to.startswith("passphrase:") and new.to != "passphrase:prompt":
        raise BadInput("A hub that runs takes a passphrase only from the prompt.", field="to")
    try:
        version = await rooms.move_root(new.to, Secret(new.passphrase.get_secret_value()))
    except StartRefused as refusal:
        raise BadInput(refusal.message, field="to", hint=refusal.hint) from refusal
    return Rotated(version=version)


@router.post("/recovery-kit", operation_id="adopt_recovery_kit")
async def adopt_recovery_kit(new: NewKit, who: Operator, rooms: Rooms) -> KitShown:
    """From now on every organization's key can be opened with this kit too, and with none before it."""
    await rooms.trail.write("key.recovery_kit", actor=actor_of(who))
    return KitShown(number=await rooms.recovery.adopt(bytes.fromhex(new.public_key)))


@router.post("/rotate/tenant", operation_id="rotate_tenant_key")
async def rotate_tenant_key(_new: Rotate, who: Writer, rooms: Rooms, organization: OrganizationQuery = "") -> Rotated:
    """A new key of one organization, which wraps from now on. Rewrap after."""
    demand_act(who, Act.MANAGE_KEYS)
    await demand_fresh(who, rooms)
    among = await _among(who, rooms, organization)
    if not isinstance(among, OneTenant):
        raise NotFound("Say which organization.", hint="`valetkey org list` shows those there are.")
    await rooms.trail.write("key.rotate_tenant", actor=actor_of(who), organization_id=among.tenant)
    return Rotated(version=await rooms.rotation.rotate_tenant(among.tenant))


@router.post("/rewrap", operation_id="rewrap_keys")
async def rewrap_keys(_new: Rotate, who: Writer, rooms: Rooms, organization: OrganizationQuery = "") -> RewrappedShown:
    """Moves what hangs on older keys under the newest, for some seconds; ask again until `done`."""
    demand_act(who, Act.MANAGE_KEYS)
    await demand_fresh(who, rooms)
    among = await _among(who, rooms, organization)
    await rooms.trail.write(
        "key.rewrap",
        actor=actor_of(who),
        organization_id=among.tenant if isinstance(among, OneTenant) else "",
    )
    done = await rooms.rotation.rewrap(among, seconds=_SECONDS, on_progress=lambda _moved: None)
    return RewrappedShown.of(done)
