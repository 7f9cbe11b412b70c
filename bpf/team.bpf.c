// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* The eBPF datapath of a team: which port a packet leaves by, and whether one that comes in is
 * the team's. Decisions are the daemon's; it writes them into `team`. Here they are only obeyed,
 * with one exception: a port that cannot carry a packet now is passed over for the next. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "team.h"

#define TCX_NEXT -1
#define ETH_P_SLOW 0x8809
#define DEV_INDEX_BUCKETS 256 /* NETDEV_HASHENTRIES, net/core/dev.h */
#define DEV_INDEX_DEPTH 32    /* interfaces in one bucket that are looked at */

/* enum netdev_state_t: START and PRESENT set, NOCARRIER clear. One test for "up, there, and a
 * cable in it", and the bits flip at once, whereas notifications of them are batched. */
#define LINK_STATE_BITS 7
#define LINK_STATE_USABLE 3

/* The few kernel fields that are read; CO-RE finds them on the running kernel. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct list_head {
	struct list_head *next;
};
struct hlist_node {
	struct hlist_node *next;
};
struct hlist_head {
	struct hlist_node *first;
};
struct net {
	struct hlist_head *dev_index_head;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct net_device {
	int ifindex;
	unsigned long state;
	struct list_head ptype_all;
	struct hlist_node index_hlist;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
};
#pragma clang attribute pop

extern void *bpf_cast_to_kern_ctx(void *) __ksym;
extern void *bpf_rdonly_cast(void *, __u32) __ksym;

#define kernel_ptr(type, address) \
	((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))

struct team_state team;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TEAM_MAX_PORTS);
	__type(key, __u32);
	__type(value, struct team_counters);
} team_counters SEC(".maps");

/* Whose turn it is, in mode roundrobin. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} team_turn SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} team_events SEC(".maps");

/* The loader's own memory, which has to outlive it; no program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, TEAM_RECORD_SIZE);
} team_record SEC(".maps");

static __always_inline void tell(struct team_slot *slot)
{
	struct team_event *event;

	if (slot->told)
		return;
	slot->told = 1;
	event = bpf_ringbuf_reserve(&team_events, sizeof(*event), 0);
	if (!event)
		return; /* full: the loader has been woken already, and looks at every port */
	event->ifindex = slot->ifindex;
	event->unused = 0;
	bpf_ringbuf_submit(event, 0);
}

/* Find a device by index as the kernel does, since its address may have changed hands. */
static __noinline __u64 find_device(struct __sk_buff *skb, __u32 ifindex)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net *net = kernel_skb->dev->nd_net.net;
	__u64 buckets = (__u64)net->dev_index_head;
	struct hlist_head *bucket;
	struct hlist_node *node;

	team.net = (__u64)net;
	bucket = kernel_ptr(struct hlist_head,
			    buckets + (ifindex & (DEV_INDEX_BUCKETS - 1)) * sizeof(struct hlist_head));
	node = bucket->first;
	for (int i = 0; i < DEV_INDEX_DEPTH && node; i++) {
		__u64 address = (__u64)node -
				bpf_core_field_offset(struct net_device, index_hlist);
		struct net_device *dev = kernel_ptr(struct net_device, address);

		if (dev->ifindex == (int)ifindex)
			return address;
		node = node->next;
	}
	return 0;
}

/* Would a packet sent to this port now leave it? The cached address is only ever read through
 * bpf_rdonly_cast, whose loads yield 0 where there is nothing, and believed only where index and
 * namespace fit. */
static __always_inline bool usable(struct __sk_buff *skb, struct team_target *to)
{
	struct net_device *dev = kernel_ptr(struct net_device, to->dev);

	if (dev->ifindex != (int)to->ifindex || (__u64)dev->nd_net.net != team.net) {
		to->dev = find_device(skb, to->ifindex);
		dev = kernel_ptr(struct net_device, to->dev);
		if (dev->ifindex != (int)to->ifindex)
			return false;
	}
	return (dev->state & LINK_STATE_BITS) == LINK_STATE_USABLE;
}

static __always_inline struct team_counters *counters_of(__u32 slot)
{
	return bpf_map_lookup_elem(&team_counters, &slot);
}

static __always_inline void count_sent(struct __sk_buff *skb, __u32 slot)
{
	struct team_counters *counters = counters_of(slot);

	if (counters) {
		counters->tx_packets += skb->gso_segs ?: 1;
		counters->tx_bytes += skb->len;
	}
}

static __always_inline int send(struct __sk_buff *skb, struct team_target *to)
{
	count_sent(skb, to->slot);
	return bpf_redirect(to->ifindex, 0);
}

/* A tap (tcpdump) on the team device sees a packet only if the device really transmits it. Then it
 * comes out at the receiver's other end, where the same program runs once more and sends it. */
static __always_inline bool tapped(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kernel_skb->dev;

	return (void *)dev->ptype_all.next != (void *)&dev->ptype_all &&
	       dev->ifindex == (int)team.ifindex;
}

static __always_inline struct team_target *target(__u32 table, __u32 at)
{
	return &team.table[table & 1].to[at & (TEAM_MAX_PORTS - 1)];
}

/* What the steps of a bpf_loop over the ports share. The loops are bpf_loop()s because the verifier
 * then walks their body once, not once a port. */
struct walk {
	struct __sk_buff *skb;
	__u32 table;
	__u32 at;
	__s32 result;
};

enum { NEXT_STEP, LAST_STEP };

static __always_inline bool usable_or_tell(struct __sk_buff *skb, struct team_target *to)
{
	if (usable(skb, to))
		return true;
	tell(&team.slot[to->slot & (TEAM_MAX_PORTS - 1)]);
	return false;
}

static long divert_step(__u32 i, struct walk *walk)
{
	__u32 count = team.table[walk->table & 1].count, at = walk->at + i;
	struct team_target *to;

	if (at >= count)
		at -= count;
	to = target(walk->table, at);
	if (!usable_or_tell(walk->skb, to))
		return NEXT_STEP;
	walk->result = send(walk->skb, to);
	return LAST_STEP;
}

/* The port at `at` in the order cannot carry a packet: take the next one that can. Where there is
 * none the packet is dropped, as by a device without carrier. */
static __noinline int divert(struct __sk_buff *skb, __u32 table, __u32 at)
{
	struct walk walk = { .skb = skb, .table = table, .at = at, .result = TC_ACT_SHOT };

	bpf_loop(team.table[table & 1].count, divert_step, &walk, 0);
	return walk.result;
}

static __always_inline int send_from(struct __sk_buff *skb, __u32 table, __u32 at)
{
	struct team_target *to = target(table, at);

	return usable(skb, to) ? send(skb, to) : divert(skb, table, at);
}

SEC("tc")
int team_tx_ab(struct __sk_buff *skb)
{
	if (tapped(skb))
		return TCX_NEXT;
	return send_from(skb, team.current, 0);
}

SEC("tc")
int team_tx_rr(struct __sk_buff *skb)
{
	__u32 table = team.current, count = team.table[table & 1].count;
	__u32 zero = 0, *turn;

	if (tapped(skb))
		return TCX_NEXT;
	turn = bpf_map_lookup_elem(&team_turn, &zero);
	if (!turn || !count)
		return TC_ACT_SHOT;
	return send_from(skb, table, (*turn)++ % count);
}

SEC("tc")
int team_tx_random(struct __sk_buff *skb)
{
	__u32 table = team.current, count = team.table[table & 1].count;

	if (tapped(skb))
		return TCX_NEXT;
	if (!count)
		return TC_ACT_SHOT;
	return send_from(skb, table, bpf_get_prandom_u32() % count);
}

/* A clone costs ten redirects: the last usable port gets the packet itself. */
static long broadcast_step(__u32 i, struct walk *walk)
{
	struct team_target *to = target(walk->table, i), *previous;

	if (!usable_or_tell(walk->skb, to))
		return NEXT_STEP;
	if (walk->at < TEAM_MAX_PORTS) {
		previous = target(walk->table, walk->at);
		count_sent(walk->skb, previous->slot);
		bpf_clone_redirect(walk->skb, previous->ifindex, 0);
	}
	walk->at = i;
	return NEXT_STEP;
}

SEC("tc")
int team_tx_bcast(struct __sk_buff *skb)
{
	struct walk walk = { .skb = skb, .table = team.current, .at = TEAM_MAX_PORTS };

	if (tapped(skb))
		return TCX_NEXT;
	bpf_loop(team.table[walk.table & 1].count, broadcast_step, &walk, 0);
	return walk.at < TEAM_MAX_PORTS ? send(skb, target(walk.table, walk.at)) : TC_ACT_SHOT;
}

#include "loadbalance.h"

static long slot_step(__u32 i, struct walk *walk)
{
	if (team.slot[i & (TEAM_MAX_PORTS - 1)].ifindex != walk->at)
		return NEXT_STEP;
	walk->result = i;
	return LAST_STEP;
}

static __noinline int slot_of(__u32 ifindex)
{
	struct walk walk = { .at = ifindex, .result = -1 };

	bpf_loop(TEAM_MAX_PORTS, slot_step, &walk, 0);
	return walk.result;
}

/* 01:80:c2:00:00:0x: between neighbours only (LLDP, 802.1X, STP). */
static __always_inline bool is_link_local(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	__u16 *dst = data;

	if (data + ETH_HLEN > end)
		return false;
	return dst[0] == bpf_htons(0x0180) && dst[1] == bpf_htons(0xc200) &&
	       (dst[2] & bpf_htons(0xfff0)) == 0;
}

enum { NOT_OURS = -1 };

/* The slot whose frames these are; TEAM_MAX_PORTS where they are not the team's, NOT_OURS on an
 * interface that is no port. Called for what does not simply receive: a port that waits, or one
 * whose hint another port has. */
static __noinline int receiving_slot(struct __sk_buff *skb, __u32 ifindex)
{
	struct team_table *table = &team.table[team.current & 1];
	struct team_target *active = &table->to[0];
	int slot = slot_of(ifindex);

	if (slot < 0)
		return NOT_OURS;
	if (team.slot[slot & (TEAM_MAX_PORTS - 1)].rx)
		return slot;
	if (!team.spare || !table->count || usable_or_tell(skb, active))
		return TEAM_MAX_PORTS;
	/* We have diverted, so the other side may have: what comes here is for us. */
	return slot;
}

SEC("tc")
int team_rx(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kernel_skb->dev;
	struct team_counters *counters;
	__u32 ifindex = dev->ifindex;
	int slot = team.hint[ifindex & (TEAM_SLOT_HINTS - 1)] & (TEAM_MAX_PORTS - 1);

	/* A device that moves to another namespace takes its programs along. */
	if ((__u64)dev->nd_net.net != team.net && team.net)
		return TCX_NEXT;
	if (team.slot[slot].rx != ifindex) {
		slot = receiving_slot(skb, ifindex);
		if (slot == NOT_OURS)
			return TCX_NEXT;
	}
	/* Slow protocols (LACP, Marker) are between port and port. Behind a tag they are not. */
	if (skb->protocol == bpf_htons(ETH_P_SLOW) && !skb->vlan_present)
		return TCX_NEXT;
	if (skb->pkt_type == PACKET_MULTICAST && is_link_local(skb)) {
		/* Also for who listens on the port itself, be it active or not. */
		if (slot < TEAM_MAX_PORTS)
			bpf_clone_redirect(skb, team.ifindex, BPF_F_INGRESS);
		return TCX_NEXT;
	}
	if (slot >= TEAM_MAX_PORTS)
		return TC_ACT_SHOT;
	counters = counters_of(slot);
	if (counters) {
		counters->rx_packets += skb->gso_segs ?: 1;
		counters->rx_bytes += skb->len;
	}
	return bpf_redirect(team.ifindex, BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
