"""Who has which MAC: the team's, its ports', by ``hwaddr_policy``, also when a user sets one.

===========  ======================  =========================  =====================  =================
policy       team                    ports                      user sets the team's   user sets a port's
===========  ======================  =========================  =====================  =================
same_all     first port's            the team's                 all ports follow       set back
by_active    active port's, taken    untouched                  kept until the switch  untouched
             at each switch
only_active  first port's            active: the team's;        active port follows    kept
                                     others: their own
own          first port's            untouched, if no two are   none follows           kept
                                     the same
===========  ======================  =========================  =====================  =================

A configured ``hwaddr`` takes the place of the first port's. Must not know what makes a port active.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyteam.config import TeamConfig
from pyteam.engine.desired import Actual
from pyteam.engine.wish import Wish
from pyteam.link import Link


class Addresses:
    """The wishes for all MACs of one team."""

    def __init__(self, config: TeamConfig, policy: str, ifindex: int, adopted: Actual | None) -> None:
        self._policy = policy
        self._ifindex = ifindex
        self._team: Wish[bytes] = Wish()
        self._ports: dict[int, Wish[bytes]] = {}
        #: By port: what it had before any team.
        self._permanent: dict[int, bytes] = {}
        #: By port: what an active port had before it was given the team's.
        self._own: dict[int, bytes] = {}
        self._active = 0
        #: Somebody chose it: no first port changes it.
        self.chosen = config.hwaddr is not None
        if adopted is not None and adopted.members and ifindex in adopted.addresses:
            self._team.want(adopted.addresses[ifindex])
        if config.hwaddr is not None:
            self._team.want(config.hwaddr)

    def configure(self, policy: str, hwaddr: bytes | None) -> None:
        """Another policy, or a MAC that the team is to have; None: it keeps what it has.

        The port that carries the traffic keeps its MAC until the switch.
        """
        before, self._policy = self._policy, policy
        self.chosen = self.chosen or bool(self._ports) or hwaddr is not None
        if hwaddr is not None:
            self._team.want(hwaddr)
        if before == "same_all" != policy:
            for ifindex, wish in self._ports.items():
                if ifindex == self._active:
                    self._own[ifindex] = self._permanent[ifindex]
                else:
                    wish.want(self._permanent[ifindex])
        elif policy == "same_all":
            self._own.clear()
        elif policy == "only_active" and self._active in self._ports:
            wish = self._ports[self._active]
            self._own.setdefault(self._active, wish.value or wish.seen or self._permanent[self._active])
        self._follow()

    def first_port(self, link: Link) -> None:
        """This is the team's only port now."""
        if not self.chosen:
            self._team.want(link.permanent_address)

    def join(self, link: Link, active: bool) -> None:
        """It became a port; ``active``: it was adopted as the active one."""
        wish = self._ports[link.ifindex] = Wish(link.address)
        self._permanent[link.ifindex] = link.permanent_address
        if active:
            self._active = link.ifindex
            if self._policy == "only_active":
                self._own[link.ifindex] = link.permanent_address
                wish.want(link.address)
        if self._policy == "same_all":
            self._follow()
        elif self._policy == "own":
            self._make_unique(link)

    def _make_unique(self, link: Link) -> None:
        """Two ports with one MAC (VLANs on one card): the later one gets another."""
        taken = {wish.value or wish.seen for index, wish in self._ports.items() if index != link.ifindex}
        own = link.permanent_address
        # IEEE 802, 8.4: the second bit of the first byte makes a MAC local.
        made = (bytes((own[0] | 2,)) + own[1:5] + bytes((own[5] ^ number,)) for number in range(256))
        address = next((one for one in (link.address, own, *made) if one not in taken), link.address)
        if address != link.address:
            self._ports[link.ifindex].want(address)

    def leave(self, ifindex: int) -> None:
        """It is a port no longer: whose MAC it has now is not ours to say."""
        self._ports.pop(ifindex, None)
        self._permanent.pop(ifindex, None)
        self._own.pop(ifindex, None)

    def switch(self, active: int) -> None:
        """The active port is this one now; 0: none."""
        if active == self._active:
            return
        if self._active in self._own:
            self._ports[self._active].want(self._own.pop(self._active))
        self._active = active
        wish = self._ports.get(active)
        own = wish and (wish.value or wish.seen)
        if own and self._policy == "by_active":
            self._team.want(own)
        elif own and self._policy == "only_active":
            self._own[active] = own
        self._follow()

    def _follow(self) -> None:
        """The team's MAC, or who is active, has changed: those whose MAC is the team's get it."""
        followers = {"same_all": tuple(self._ports), "only_active": (self._active,)}.get(self._policy, ())
        for ifindex in followers:
            if ifindex in self._ports and self._team.value is not None:
                self._ports[ifindex].want(self._team.value)

    def see(self, link: Link) -> bool:
        """The team device or a port has this address now. True when another is wanted because of it."""
        ours = link.ifindex == self._ifindex
        wish = self._team if ours else self._ports.get(link.ifindex)
        if wish is None or not wish.see(link.address):
            return False
        if ours:
            wish.accept()
            self.chosen = True
            self._follow()
        elif self._policy != "same_all" and wish.value is not None:
            wish.accept()
        return True

    def wanted(self) -> Mapping[int, bytes]:
        """MACs by ifindex, where there is a wish."""
        wishes = {self._ifindex: self._team, **self._ports}
        return {ifindex: wish.value for ifindex, wish in wishes.items() if wish.value is not None}
