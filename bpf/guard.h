/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* What the guard of a team on the kernel's driver shares with its loader, which mirrors it in
 * pyteam/datapath/kernel/guard.py; a test holds the two together. */
#ifndef PYTEAM_GUARD_H
#define PYTEAM_GUARD_H

#define GUARD_ABI 1 /* raised whenever the layout changes, or what the programs do */
#define GUARD_MAX_PORTS 64 /* a power of two: indexes are masked with it */

struct guard_order {
	__u32 count;
	__u32 port[GUARD_MAX_PORTS]; /* by ifindex */
};

struct guard_state {
	__u32 abi;
	__u32 team;    /* the team device, by ifindex */
	__u32 active;  /* the port that the driver sends by and receives from; 0: none */
	__u32 current; /* 0 or 1: the order in force; the other one is the loader's to fill */
	struct guard_order order[2];
};

#endif
