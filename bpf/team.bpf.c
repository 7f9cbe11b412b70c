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
#include "device.h"
#include "neighbours.h"
#include "team.h"

#define TCX_NEXT -1
#define AS_USUAL -2 /* no verdict yet */

struct team_state team;

/* A CPU's counters are found by an addition here, and by a look-up in a per-CPU map. The loader makes
 * the section as long as there can be CPUs, to which the verifier holds what they call themselves. */
struct team_counters team_counters[TEAM_MAX_CPUS][TEAM_MAX_PORTS] SEC(".bss.counters");

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

/* Up, there, and with a cable in it, at this moment. What is read through bpf_rdonly_cast is 0 where
 * there is nothing. */
static __always_inline bool carries(struct team_target *to)
{
	struct net_device *dev = kernel_ptr(struct net_device, to->dev);

	return device_carries(dev);
}

/* A cached address is believed where index and namespace fit. For callers that know of no tap, and that
 * nobody asks for a queue. */
static __noinline bool look_again(struct __sk_buff *skb, struct team_target *to)
{
	struct net_device *dev = kernel_ptr(struct net_device, to->dev);

	if (dev->ifindex != (int)to->ifindex || (__u64)dev->nd_net.net != team.net) {
		team.net = net_of(skb);
		to->dev = find_device(skb, to->ifindex);
		dev = kernel_ptr(struct net_device, to->dev);
		if (dev->ifindex != (int)to->ifindex)
			return false;
	}
	/* Not at the receiver's other end, where a packet is because it was let go on. */
	if (skb->ifindex == team.ifindex && !team.queues)
		to->tick = bpf_jiffies64();
	return carries(to);
}

/* Whether the port can send is looked at for every packet: two loads. What changes seldom (a device
 * goes, or to another namespace, and is down before; a tap comes) is looked at once in a tick of the
 * kernel's clock, 1 to 10 ms. */
static __always_inline bool surely_usable(struct team_target *to)
{
	__u64 now = bpf_jiffies64();

	return to->tick == now && carries(to);
}

/* Would a packet sent to this port now leave it? */
static __always_inline bool usable(struct __sk_buff *skb, struct team_target *to)
{
	return surely_usable(to) || look_again(skb, to);
}

/* bpf_get_smp_processor_id(), in 64 bits: nothing needs to clear the upper ones. */
static __u64 (*this_cpu)(void) = (void *)BPF_FUNC_get_smp_processor_id;

/* The CPU is asked for first: what is in registers does not survive a call. */
static __always_inline struct team_counters *counters_of(__u64 cpu, __u32 slot)
{
	return &team_counters[cpu][slot & (TEAM_MAX_PORTS - 1)];
}

static __always_inline void count_sent(struct __sk_buff *skb, struct team_target *to)
{
	__u64 cpu = this_cpu();
	struct team_counters *counters = counters_of(cpu, to->slot);

	counters->tx_packets++;
	counters->tx_bytes += skb->len;
}

static __always_inline int send(struct __sk_buff *skb, struct team_target *to)
{
	count_sent(skb, to);
	return bpf_redirect(to->ifindex, 0);
}

static __always_inline int receive(struct __sk_buff *skb, __u64 cpu, __u32 slot)
{
	struct team_counters *counters = counters_of(cpu, slot);

	counters->rx_packets++;
	counters->rx_bytes += skb->len;
	return bpf_redirect(team.ifindex, BPF_F_INGRESS);
}

/* A tap (tcpdump) on the team device sees a packet only if the device really transmits it, as filters
 * (tc) do. Then it comes out at the receiver's other end, where the same program runs once more and
 * sends it. */
static __always_inline bool tapped(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kernel_skb->dev;

	return (void *)dev->ptype_all.next != (void *)&dev->ptype_all &&
	       skb->ifindex == team.ifindex;
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

static __always_inline bool is_some_ports(__u32 queue)
{
	return queue < 32 && team.queues >> queue & 1;
}

struct queue_walk {
	struct __sk_buff *skb;
	__u32 table;
	__u32 queue;
	__u32 at; /* the best so far */
	__s32 priority;
};

static long queue_step(__u32 i, struct queue_walk *walk)
{
	struct team_target *to = target(walk->table, i);
	struct team_slot *slot = &team.slot[to->slot & (TEAM_MAX_PORTS - 1)];

	if (slot->queue != walk->queue ||
	    (walk->at < TEAM_MAX_PORTS && slot->priority <= walk->priority) ||
	    !usable_or_tell(walk->skb, to))
		return NEXT_STEP;
	walk->at = i;
	walk->priority = slot->priority;
	return NEXT_STEP;
}

/* Where no port that has the queue can carry a packet, it is one like all others. */
static __noinline int send_by_queue(struct __sk_buff *skb)
{
	struct queue_walk walk = { .skb = skb,
				   .table = team.current,
				   .queue = skb->queue_mapping,
				   .at = TEAM_MAX_PORTS };

	if (is_some_ports(walk.queue))
		bpf_loop(team.table[walk.table & 1].count, queue_step, &walk, 0);
	if (walk.at >= TEAM_MAX_PORTS)
		return AS_USUAL;
	skb->queue_mapping = 0; /* which of its own queues it takes is the port's to say */
	return send(skb, target(walk.table, walk.at));
}

/* Filters (tc) on the team device have their turn behind this program, and choose a port by setting the
 * packet's queue. Where none does the kernel picks one, and it has to be 0, which is no port's. It takes
 * what the socket used last, on whatever device that was, else what the packet says it came in by, less
 * one. A copy has no socket. */
static __noinline int pass_filters(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct sock_common *sk = kernel_ptr(struct sock_common, kernel_skb->sk);

	if (is_some_ports(sk->skc_tx_queue_mapping)) {
		bpf_clone_redirect(skb, team.ifindex, 0);
		return bpf_redirect(0, 0); /* nowhere; a drop would be told to the sender */
	}
	skb->queue_mapping = 1;
	return TCX_NEXT;
}

/* What is not to be spread as the mode has it: the verdict on it, or AS_USUAL. */
static __noinline int aside(struct __sk_buff *skb)
{
	if (team.queues)
		return skb->ifindex == team.ifindex ? pass_filters(skb) : send_by_queue(skb);
	return tapped(skb) ? TCX_NEXT : AS_USUAL;
}

static __always_inline int look_and_send(struct __sk_buff *skb, struct team_target *to, __u32 table,
					 __u32 at)
{
	return look_again(skb, to) ? send(skb, to) : divert(skb, table, at);
}

static __noinline int send_slowly(struct __sk_buff *skb, __u32 table, __u32 at)
{
	int verdict = aside(skb);

	return verdict == AS_USUAL ? look_and_send(skb, target(table, at), table, at) : verdict;
}

static __always_inline int send_from(struct __sk_buff *skb, __u32 table, __u32 at)
{
	struct team_target *to = target(table, at);

	return surely_usable(to) ? send(skb, to) : send_slowly(skb, table, at);
}

/* Has no arguments but the packet, for which the fast way would pay. */
static __noinline int send_first_slowly(struct __sk_buff *skb)
{
	int verdict = aside(skb);

	return verdict == AS_USUAL ? look_and_send(skb, &team.first, team.current, 0) : verdict;
}

SEC("tc")
int team_tx_ab(struct __sk_buff *skb)
{
	return surely_usable(&team.first) ? send(skb, &team.first) : send_first_slowly(skb);
}

/* Where nothing can be sent a tap still sees what was to be. */
static __always_inline int drop(struct __sk_buff *skb)
{
	return tapped(skb) ? TCX_NEXT : TC_ACT_SHOT;
}

SEC("tc")
int team_tx_rr(struct __sk_buff *skb)
{
	__u32 table = team.current, count = team.table[table & 1].count;
	__u32 zero = 0, *turn, at;
	struct team_target *to;
	int verdict;

	turn = bpf_map_lookup_elem(&team_turn, &zero);
	if (!turn || !count)
		return drop(skb);
	at = *turn % count;
	to = target(table, at);
	if (surely_usable(to)) {
		(*turn)++;
		return send(skb, to);
	}
	/* A packet that goes on comes back, and is to have one turn only. */
	verdict = aside(skb);
	if (verdict != AS_USUAL)
		return verdict;
	(*turn)++;
	return look_and_send(skb, to, table, at);
}

SEC("tc")
int team_tx_random(struct __sk_buff *skb)
{
	__u32 table = team.current, count = team.table[table & 1].count;

	if (!count)
		return drop(skb);
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
		count_sent(walk->skb, previous);
		bpf_clone_redirect(walk->skb, previous->ifindex, 0);
	}
	walk->at = i;
	return NEXT_STEP;
}

SEC("tc")
int team_tx_bcast(struct __sk_buff *skb)
{
	struct walk walk = { .skb = skb, .table = team.current, .at = TEAM_MAX_PORTS };
	int verdict = aside(skb);

	if (verdict != AS_USUAL)
		return verdict;
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

/* TIPC has a bearer on the port, and this is for us: what comes for others is theirs, above the team. */
static __always_inline bool is_the_bearers(struct __sk_buff *skb, struct net_device *dev)
{
	return skb->protocol == bpf_htons(ETH_P_TIPC) && !skb->vlan_present &&
	       skb->pkt_type != PACKET_OTHERHOST && bpf_core_field_exists(dev->tipc_ptr) && dev->tipc_ptr;
}

enum { NOT_OURS = -1 };

/* The slot whose frames these are; TEAM_MAX_PORTS where they are not the team's, NOT_OURS on an
 * interface that is no port. Called for what does not simply receive: a port that waits, or one
 * whose hint another port has. */
static __noinline int receiving_slot(struct __sk_buff *skb, __u32 ifindex)
{
	int slot = slot_of(ifindex);

	if (slot < 0)
		return NOT_OURS;
	if (team.slot[slot & (TEAM_MAX_PORTS - 1)].rx)
		return slot;
	if (!team.spare || !team.first.ifindex || usable_or_tell(skb, &team.first))
		return TEAM_MAX_PORTS;
	/* We have diverted, so the other side may have: what comes here is for us. */
	return slot;
}

/* Everything but what `team_rx` knows at a glance. */
static __noinline int receive_slowly(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kernel_skb->dev;
	__u32 ifindex = skb->ifindex;
	struct team_hint *hint = &team.hint[ifindex & (TEAM_HINTS - 1)];
	int slot = hint->slot;

	/* A device that moves to another namespace takes its programs along. */
	if ((__u64)dev->nd_net.net != team.net && team.net)
		return TCX_NEXT;
	if (hint->rx != ifindex) {
		slot = receiving_slot(skb, ifindex);
		if (slot == NOT_OURS)
			return TCX_NEXT;
	}
	if (is_the_bearers(skb, dev))
		return TCX_NEXT;
	if (skb->pkt_type == PACKET_MULTICAST) {
		if (is_slow_protocol(skb))
			return TCX_NEXT;
		if (is_link_local(skb)) {
			/* Also for who listens on the port itself, be it active or not. */
			if (slot < TEAM_MAX_PORTS)
				bpf_clone_redirect(skb, team.ifindex, BPF_F_INGRESS);
			return TCX_NEXT;
		}
	}
	if (slot >= TEAM_MAX_PORTS)
		return TC_ACT_SHOT;
	return receive(skb, this_cpu(), slot);
}

SEC("tc")
int team_rx(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kernel_skb->dev;

	/* Slow protocols and link-local groups are multicast. */
	if ((__u64)dev->nd_net.net == team.net && skb->pkt_type != PACKET_MULTICAST &&
	    skb->protocol != bpf_htons(ETH_P_TIPC)) {
		__u64 cpu = this_cpu();
		__u32 ifindex = skb->ifindex;
		struct team_hint *hint = &team.hint[ifindex & (TEAM_HINTS - 1)];

		if (hint->rx == ifindex)
			return receive(skb, cpu, hint->slot);
	}
	return receive_slowly(skb);
}

char _license[] SEC("license") = "Dual BSD/GPL";
