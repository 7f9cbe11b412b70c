/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* What the programs of receive balancing and their loader share. The loader mirrors it in
 * pyteam/datapath/rxbalance/shared.py; a test holds the two together. */
#ifndef PYTEAM_RX_BALANCE_H
#define PYTEAM_RX_BALANCE_H

#define RX_ABI 1
#define RX_MAX_PORTS 64 /* a power of two: indexes are masked with it */
#define RX_SLOT_HINTS 256
#define RX_MAX_NEIGHBOURS 4096
#define RX_MAX_TOLD 16384
#define RX_MAX_GUESTS 4096

/* On frames that the daemon itself sends by a port: they leave as they are. */
#define RX_MARK 0x70797278
/* In a VLAN: there was a tag. */
#define RX_TAGGED 0x1000

/* A MAC is a number here: its first four bytes, as the machine reads them, times 65536, plus its
 * last two. So it is loaded, compared and stored at once. */

/* One member port. A port keeps its slot while it is a member. */
struct rx_port {
	__u32 ifindex; /* 0: free */
	__u32 live;    /* the daemon lets it carry traffic */
	__u32 also;    /* the port of slot `also` - 1 still takes its frames; 0: none does */
	__u32 neighbours; /* how many have been given to it */
	__u64 mac;
	__u64 dev;    /* where its net_device was last found */
	__u32 given;  /* the loader's own: what it did to the interface */
	__u32 unused;
};

struct rx_state {
	__u32 abi;
	__u32 ifindex; /* the team device */
	__u32 count;   /* slots that were ever taken */
	__u32 primary; /* the slot that receives broadcasts, while it can */
	__u64 mac;     /* the team's, which never appears on a wire but as a port's */
	__u64 net;     /* the namespace that all of this is in */
	__u8 hint[RX_SLOT_HINTS]; /* ifindex modulo 256 -> slot */
	struct rx_port port[RX_MAX_PORTS];
};

/* A station: MAC times 65536, plus its VLAN (0, or RX_TAGGED and the id). */
struct rx_neighbour {
	__u32 slot;  /* the port whose MAC it is told */
	__u32 uses;  /* the port whose MAC it sent to last */
	__u64 bytes; /* that it sent to the team */
	__u64 told;  /* when it was told, ns of the boot clock */
};

/* Which address of ours a station has been told a MAC for: IPv4 ones are mapped into IPv6. */
struct rx_told_key {
	__u64 station;
	__u8 address[16];
};

/* As what IPv6 neighbours know us: an advertisement must not contradict it. */
enum { RX_ROLE_UNKNOWN, RX_ROLE_HOST, RX_ROLE_ROUTER };

#endif
