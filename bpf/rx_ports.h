/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* The ports of a team under receive balancing: which of them has a MAC, carries traffic, or is chosen. */
#ifndef PYTEAM_RX_PORTS_H
#define PYTEAM_RX_PORTS_H

struct rx_state rx_state;

static __always_inline struct rx_port *port_at(__u32 slot)
{
	return &rx_state.port[slot & (RX_MAX_PORTS - 1)];
}

/* Functions that are not static are checked by the verifier once, not once a call: that is the
 * difference between a load of 0.1 s and one of 0.9 s. */
__noinline bool usable(struct __sk_buff *skb, __u32 slot)
{
	struct rx_port *port = port_at(slot);

	return port->ifindex && port->live && device_usable(skb, port->ifindex, &port->dev);
}

/* What the steps of a bpf_loop over the ports share. */
struct walk {
	struct __sk_buff *skb;
	__u64 mac;
	__u32 number; /* an index, a hash, or a count */
	__u32 best;
	__s32 at;
};

enum { NEXT_STEP, LAST_STEP };

static long index_step(__u32 i, struct walk *walk)
{
	if (port_at(i)->ifindex != walk->number)
		return NEXT_STEP;
	walk->at = i;
	return LAST_STEP;
}

__noinline int find_slot(__u32 ifindex)
{
	struct walk walk = { .number = ifindex, .at = -1 };

	bpf_loop(rx_state.count, index_step, &walk, 0);
	return walk.at;
}

/* The slot of the port that this packet is at; negative where it is none of ours. */
static __always_inline int slot_of(struct __sk_buff *skb)
{
	int slot = rx_state.hint[skb->ifindex & (RX_SLOT_HINTS - 1)] & (RX_MAX_PORTS - 1);
	__u64 net = net_of(skb);

	if (!rx_state.net)
		rx_state.net = net;
	/* A device that moves to another namespace takes its programs along. */
	if (rx_state.net != net)
		return -1;
	return port_at(slot)->ifindex == skb->ifindex ? slot : find_slot(skb->ifindex);
}

static long mac_step(__u32 i, struct walk *walk)
{
	struct rx_port *port = port_at(i);

	if (!port->ifindex || port->mac != walk->mac)
		return NEXT_STEP;
	walk->at = i;
	return LAST_STEP;
}

enum { NOBODYS = -1, THE_TEAMS = RX_MAX_PORTS };

/* The slot whose MAC this is; THE_TEAMS for that of no port any more. */
__noinline int whose(__u64 mac)
{
	struct walk walk = { .mac = mac, .at = NOBODYS };

	bpf_loop(rx_state.count, mac_step, &walk, 0);
	if (walk.at < 0 && mac == rx_state.mac)
		return THE_TEAMS;
	return walk.at;
}

static long first_step(__u32 i, struct walk *walk)
{
	if (!usable(walk->skb, i))
		return NEXT_STEP;
	walk->at = i;
	return LAST_STEP;
}

/* The port that receives what comes in by several. */
__noinline int primary(struct __sk_buff *skb)
{
	__u32 at = rx_state.primary & (RX_MAX_PORTS - 1);
	struct walk walk = { .skb = skb, .at = at };

	if (!usable(skb, at))
		bpf_loop(rx_state.count, first_step, &walk, 0);
	return walk.at;
}

static long emptiest_step(__u32 i, struct walk *walk)
{
	struct rx_port *port = port_at(i);

	if ((walk->at < 0 || port->neighbours < walk->best) && usable(walk->skb, i)) {
		walk->at = i;
		walk->best = port->neighbours;
	}
	return NEXT_STEP;
}

/* For a newcomer: the port with the fewest neighbours. Negative: no port can carry anything. */
__noinline int emptiest(struct __sk_buff *skb)
{
	struct walk walk = { .skb = skb, .at = -1 };

	bpf_loop(rx_state.count, emptiest_step, &walk, 0);
	return walk.at;
}

static __always_inline __u32 mix(__u32 x)
{
	x = (x ^ x >> 16) * 0x85ebca6b;
	x = (x ^ x >> 13) * 0xc2b2ae35;
	return x ^ x >> 16;
}

static long highest_step(__u32 i, struct walk *walk)
{
	struct rx_port *port = port_at(i);
	__u32 weight = mix(walk->number ^ mix(port->ifindex));

	if ((walk->at < 0 || weight > walk->best) && usable(walk->skb, i)) {
		walk->at = i;
		walk->best = weight;
	}
	return NEXT_STEP;
}

/* The port with the highest lot for this number: when one dies, only what was its own moves. */
__noinline int drawn(struct __sk_buff *skb, __u32 number)
{
	struct walk walk = { .skb = skb, .number = number, .at = -1 };

	bpf_loop(rx_state.count, highest_step, &walk, 0);
	return walk.at < 0 ? (int)(rx_state.primary & (RX_MAX_PORTS - 1)) : walk.at;
}

static __always_inline int drawn_for(struct __sk_buff *skb, __u64 mac)
{
	return drawn(skb, mix(mac >> 16) ^ (__u16)mac);
}

#endif
