"""The receive machine (802.1AX-2014, 6.4.12): who the partner is, and whether that still holds."""

from __future__ import annotations

from math import inf
from typing import Final

from pyteam.engine.lacp.machine import Entry, Machine, Row, always
from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import (
    ACTIVITY,
    AGGREGATION,
    DEFAULTED,
    EXPIRED,
    NOBODY,
    SHORT_TIMEOUT_TIME,
    SYNC,
    TIMEOUT,
    ReceiveState,
    Selected,
)
from pyteam.frames.lacp import RETRY_COUNT, Lacpdu

#: Seconds for which a partner that once gave a retry count may send LACPDUs without.
RETRY_MEMORY: Final = 60.0
#: Bits of which the partner's opinion has to be ours (6.4.9, update_NTT).
WATCHED: Final = ACTIVITY | TIMEOUT | SYNC | AGGREGATION


def _initialize(port: LacpPort, now: float) -> None:
    port.selected = Selected.UNSELECTED
    _record_default(port)
    port.say(EXPIRED, False)
    port.moved = False


def _port_disabled(port: LacpPort, now: float) -> None:
    _lose_sync(port)
    port.current_while = inf


def _expired(port: LacpPort, now: float) -> None:
    _lose_sync(port)
    port.record(port.partner._replace(state=port.partner.state | TIMEOUT))
    port.current_while = now + SHORT_TIMEOUT_TIME
    port.say(EXPIRED)


def _lacp_disabled(port: LacpPort, now: float) -> None:
    _initialize(port, now)
    port.current_while = inf


def _defaulted(port: LacpPort, now: float) -> None:
    # update_Default_Selected: nobody is never who the partner was.
    port.selected = Selected.UNSELECTED
    _record_default(port)
    port.say(EXPIRED, False)
    port.current_while = inf


def _current(port: LacpPort, now: float) -> None:
    pdu, port.pdu = port.pdu, None
    if pdu is None:
        return
    actor, partner = port.actor, port.partner
    # update_Selected
    if pdu.actor[:5] != partner[:5] or (pdu.actor.state ^ partner.state) & AGGREGATION:
        port.selected = Selected.UNSELECTED
    # update_NTT
    stale = pdu.partner[:5] != actor[:5] or (pdu.partner.state ^ actor.state) & WATCHED
    port.ntt = bool(port.ntt or stale)
    _record_pdu(port, pdu)
    _count_retries(port, now, pdu)
    port.say(EXPIRED | DEFAULTED, False)
    port.current_while = now + port.patience


def _record_pdu(port: LacpPort, pdu: Lacpdu) -> None:
    """recordPDU: Sync holds only for a partner that means us, and that somebody keeps asking.

    And that hears us: one that says it does not (Expired, Defaulted) has stopped collecting, and in coupled
    control nothing else would say so for three seconds more. Who is in sync with another system, or with
    nobody, claims nothing here: a stranger's better priority must not make us leave our partner.
    """
    theirs, actor = pdu.actor, port.actor
    hears_us = pdu.partner.system == actor.system and not theirs.state & (EXPIRED | DEFAULTED)
    port.claims_sync = bool(theirs.state & SYNC) and hears_us
    if port.claims_sync or theirs[:5] != port.partner[:5]:
        port.refused = False
    means_us = pdu.partner[:5] == actor[:5] and not (pdu.partner.state ^ actor.state) & AGGREGATION
    individual = not theirs.state & AGGREGATION
    maintained = theirs.state & ACTIVITY or actor.state & pdu.partner.state & ACTIVITY
    in_sync = (means_us or individual) and maintained and port.claims_sync
    port.record(theirs if in_sync else theirs._replace(state=theirs.state & ~SYNC))


def _record_default(port: LacpPort) -> None:
    """recordDefault."""
    port.record(NOBODY)
    port.claims_sync = False
    port.say(DEFAULTED)
    if port.partner_retry_count != RETRY_COUNT:
        port.partner_retry_count = RETRY_COUNT
        port.bear()


def _count_retries(port: LacpPort, now: float, pdu: Lacpdu) -> None:
    count = port.partner_retry_count
    if port.rules.enable_retry_count and pdu.retry:
        port.retry_seen = now
        count = max(RETRY_COUNT, pdu.actor_retry_count)
    elif now - port.retry_seen >= RETRY_MEMORY:
        count = RETRY_COUNT
    if count != port.partner_retry_count:
        port.partner_retry_count = count
        port.ntt = True
        port.bear()


def _lose_sync(port: LacpPort) -> None:
    port.claims_sync = port.refused = False
    port.record(port.partner._replace(state=port.partner.state & ~SYNC))


_S = ReceiveState

MACHINE: Final = Machine(
    "Receive machine",
    "receive_state",
    "6.4.12",
    [
        Row(_S.INITIALIZE, _S.PORT_DISABLED, "UCT", always, "6.4.12"),
        Row(
            None,
            _S.PORT_DISABLED,
            "port_enabled = FALSE and port_moved = FALSE",
            lambda port, now: not port.enabled and not port.moved,
            "6.4.12",
        ),
        Row(_S.PORT_DISABLED, _S.INITIALIZE, "port_moved = TRUE", lambda port, now: port.moved, "6.4.12"),
        # Duplex may change without the link going down: so from everywhere, not from PORT_DISABLED alone.
        Row(
            None,
            _S.LACP_DISABLED,
            "port_enabled = TRUE and LACP_Enabled = FALSE",
            lambda port, now: port.enabled and not port.lacp_enabled,
            "6.4.8",
        ),
        Row(
            _S.PORT_DISABLED,
            _S.EXPIRED,
            "port_enabled = TRUE and LACP_Enabled = TRUE",
            lambda port, now: port.enabled and port.lacp_enabled,
            "6.4.12",
        ),
        Row(
            _S.LACP_DISABLED,
            _S.PORT_DISABLED,
            "LACP_Enabled = TRUE",
            lambda port, now: port.lacp_enabled,
            "6.4.12",
        ),
        Row(_S.EXPIRED, _S.CURRENT, "LACPDU received", lambda port, now: port.pdu, "6.4.12"),
        Row(
            _S.EXPIRED,
            _S.DEFAULTED,
            "current_while_timer expired",
            lambda port, now: now >= port.current_while,
            "6.4.12",
        ),
        Row(_S.DEFAULTED, _S.CURRENT, "LACPDU received", lambda port, now: port.pdu, "6.4.12"),
        Row(_S.CURRENT, _S.CURRENT, "LACPDU received", lambda port, now: port.pdu, "6.4.12"),
        Row(
            _S.CURRENT,
            _S.EXPIRED,
            "current_while_timer expired",
            lambda port, now: now >= port.current_while,
            "6.4.12",
        ),
    ],
    {
        _S.INITIALIZE: Entry(
            "Selected = UNSELECTED; recordDefault; Actor.Expired = FALSE; port_moved = FALSE", _initialize
        ),
        _S.PORT_DISABLED: Entry("Partner.Synchronization = FALSE", _port_disabled),
        _S.EXPIRED: Entry(
            "Partner.Synchronization = FALSE; Partner.LACP_Timeout = Short; "
            "start current_while_timer (Short); Actor.Expired = TRUE",
            _expired,
        ),
        _S.LACP_DISABLED: Entry(
            "Selected = UNSELECTED; recordDefault; Actor.Expired = FALSE", _lacp_disabled
        ),
        _S.DEFAULTED: Entry("update_Default_Selected; recordDefault; Actor.Expired = FALSE", _defaulted),
        _S.CURRENT: Entry(
            "update_Selected; update_NTT; recordPDU; start current_while_timer (Actor.LACP_Timeout); "
            "Actor.Expired = FALSE",
            _current,
        ),
    },
)
