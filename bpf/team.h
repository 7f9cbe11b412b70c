/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* What the programs and their loader share: the layout of the state and the limits.
 * The loader mirrors it in pyteam/datapath/ebpf/shared.py; a test holds the two together. */
#ifndef PYTEAM_TEAM_H
#define PYTEAM_TEAM_H

#define TEAM_ABI 5
#define TEAM_MAX_PORTS 64 /* a power of two: indexes are masked with it */
#define TEAM_MAX_CPUS 4096 /* the loader makes room for those that there can be */
#define TEAM_HINTS 256     /* a power of two */
#define TEAM_RECORD_SIZE 65536
#define TEAM_ENTRIES 256 /* hashes, as they are folded to eight bits */
/* What the hash function's place holder returns; its bytes fold to 0. The loader looks for it. */
#define TEAM_HASH_PLACEHOLDER 0x48485353

/* One port that may carry a packet, in the order in which they are tried. */
struct team_target {
	__u32 ifindex;
	__u32 slot;
	__u64 dev;  /* where its net_device was last found; 0: look it up */
	__u64 tick; /* of the kernel's clock (jiffies), in which that was last looked at */
};

/* Where packets of one hash go, in mode loadbalance. */
struct team_entry {
	__u8 at;   /* in the order of targets */
	__u8 turn; /* number of this entry among those with the same target */
};

/* The loader fills the table that is not in force and then stores `current`:
 * one store, and no packet sees half an order. */
struct team_table {
	__u32 count;
	__u32 unused;
	struct team_target to[TEAM_MAX_PORTS];
	struct team_entry entry[TEAM_ENTRIES];
};

/* One member port. A port keeps its slot while it is a member. */
struct team_slot {
	__u32 ifindex; /* 0: free */
	__u32 rx;      /* = ifindex: frames that come in here are the team's; 0: they are not */
	__u32 told;    /* the loader knows that this port cannot carry packets */
	__u32 queue;   /* it is sent what a filter gave this queue; 0: nothing but its share */
	__s32 priority; /* among ports that have the queue */
};

/* By ifindex modulo TEAM_HINTS, of one of the ports that share it. */
struct team_hint {
	__u32 rx; /* as in its slot */
	__u32 slot;
};

struct team_state {
	__u32 abi;
	__u32 current; /* 0 or 1: the table in force */
	__u32 ifindex; /* the team device */
	__u32 spare;   /* 1: a port without `rx` receives while `first` is dead */
	__u64 net;     /* the namespace that the cached `dev`s are in; for comparing */
	__u32 queues;  /* bit by bit, the queues of which some slot has one */
	__u32 unused;
	struct team_target first; /* the order's first, or 0: found without an index */
	struct team_hint hint[TEAM_HINTS];
	struct team_slot slot[TEAM_MAX_PORTS];
	struct team_table table[2];
};

/* Per CPU and slot, so that CPUs need not agree on who counts. */
struct team_counters {
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tx_packets;
	__u64 tx_bytes;
};

/* Per CPU: what was sent by each entry, in mode loadbalance. */
struct team_sent {
	__u64 bytes[TEAM_ENTRIES];
};

/* Said once, when a port is found unable to carry a packet. */
struct team_event {
	__u32 ifindex;
	__u32 unused;
};

#endif
