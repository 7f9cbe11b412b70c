// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* Receive balancing: every neighbour of the team is told the MAC of one port, so that it sends to
 * the team by that port, and the switches between need know nothing of it.
 *
 * Two programs hang on each port, whatever datapath the team has. On the wire there are only the
 * ports' MACs, each behind its own port; the team's own MAC is what the host sees. Frames of
 * others that pass through the team (a bridge's guests) keep their MAC, and stay on one port for
 * each MAC. Who is told what is decided by the daemon, except where there is no time to ask: a
 * newcomer gets the port with the fewest, and a dead port's frames come in by the primary. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "rx_balance.h"
#include "device.h"
#include "rx_frame.h"
#include "rx_ports.h"

#define TCX_NEXT -1
#define IPV6_SIZE 40
#define IPPROTO_HOPOPTS 0
#define IPPROTO_IGMP 2
#define IPPROTO_ICMPV6 58

#define ARP_REQUEST 1

#define ND_ROUTER_SOLICIT 133
#define ND_ROUTER_ADVERT 134
#define ND_NEIGHBOUR_SOLICIT 135
#define ND_NEIGHBOUR_ADVERT 136
#define ND_REDIRECT 137
#define ND_ROUTER_FLAG 0x80
#define ND_SOURCE_MAC 1
#define ND_TARGET_MAC 2
#define ND_HIDDEN 253   /* RFC 4727, for experiments: nobody knows it, so everybody skips it */
#define ND_MOST_OPTIONS 8

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RX_MAX_NEIGHBOURS);
	__type(key, __u64);
	__type(value, struct rx_neighbour);
} rx_neighbours SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RX_MAX_TOLD);
	__type(key, struct rx_told_key);
	__type(value, __u32);
} rx_told SEC(".maps");

/* MACs behind the team that are not the team's. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RX_MAX_GUESTS);
	__type(key, __u64);
	__type(value, __u32);
} rx_guests SEC(".maps");

struct arp {
	__u16 hardware, network;
	__u8 hardware_size, network_size;
	__u16 operation;
	__u8 sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
};

/* --- what leaves ------------------------------------------------------------------------------ */

/* Leave by the port of `to`, with its MAC for source. On another port the program there runs, too. */
static __always_inline int leave(struct __sk_buff *skb, const struct frame *frame, __u32 here, __u32 to)
{
	struct rx_port *port = port_at(to);
	__u8 mac[6];

	if (port->mac != frame->src) {
		put_mac(mac, port->mac);
		if (bpf_skb_store_bytes(skb, ETH_ALEN, mac, sizeof(mac), 0))
			return TC_ACT_SHOT;
	}
	return to == here ? TCX_NEXT : bpf_redirect(port->ifindex, 0);
}

static __always_inline void remember_told(__u64 who, const __u8 *address, __u32 role)
{
	struct rx_told_key key = { .station = who };
	__u32 *known;

	__builtin_memcpy(key.address, address, sizeof(key.address));
	known = bpf_map_lookup_elem(&rx_told, &key);
	if (!known || (role && *known != role))
		bpf_map_update_elem(&rx_told, &key, &role, BPF_ANY);
}

/* ::, and 0.0.0.0 mapped into IPv6. */
static __always_inline bool is_nobody(const struct rx_told_key *told)
{
	const __u32 *part = (const __u32 *)told->address;

	return !part[0] && !part[1] && (!part[2] || part[2] == bpf_htonl(0xffff)) && !part[3];
}

/* The port whose MAC the receiver of this frame is told, for an address of ours; decided here for
 * a newcomer. */
__noinline int tell(struct __sk_buff *skb, const struct frame *frame, const struct rx_told_key *told,
		    __u32 role)
{
	struct rx_neighbour fresh = {}, *known;
	__u64 who;
	int at;

	if (!frame || !told)
		return 0;
	/* Who learns nothing from this, or could not be told another, is not remembered. */
	if (frame->strange || is_nobody(told))
		return drawn_for(skb, frame->dst);
	who = station(frame->dst, frame);
	known = bpf_map_lookup_elem(&rx_neighbours, &who);
	if (known && usable(skb, known->slot)) {
		at = known->slot;
		known->told = bpf_ktime_get_boot_ns();
	} else {
		at = emptiest(skb);
		if (at < 0)
			return rx_state.primary & (RX_MAX_PORTS - 1);
		if (known) {
			/* Its port has died, and the daemon does not know yet. */
			__sync_fetch_and_add(&port_at(known->slot)->neighbours, -1);
			__sync_fetch_and_add(&port_at(at)->neighbours, 1);
			known->slot = at;
			known->told = bpf_ktime_get_boot_ns();
		} else {
			fresh.slot = fresh.uses = at;
			fresh.told = bpf_ktime_get_boot_ns();
			if (bpf_map_update_elem(&rx_neighbours, &who, &fresh, BPF_NOEXIST))
				return at; /* full, or just told by another CPU */
			__sync_fetch_and_add(&port_at(at)->neighbours, 1);
		}
	}
	remember_told(who, told->address, role);
	return at;
}

__noinline int leave_arp(struct __sk_buff *skb, const struct frame *frame, __u32 here)
{
	struct rx_told_key told = { .address = { [10] = 0xff, [11] = 0xff } };
	struct arp arp;
	int at = here;

	if (!frame)
		return TC_ACT_SHOT;
	if (bpf_skb_load_bytes(skb, frame->l3, &arp, sizeof(arp)) ||
	    arp.hardware != bpf_htons(1) || arp.network != bpf_htons(ETH_P_IP) ||
	    arp.hardware_size != 6 || arp.network_size != 4 || mac_at(arp.sender_mac) != rx_state.mac)
		return leave(skb, frame, here, here);
	__builtin_memcpy(told.address + 12, arp.sender_ip, sizeof(arp.sender_ip));
	if (!frame->group) {
		at = tell(skb, frame, &told, RX_ROLE_HOST);
	} else if (arp.operation == bpf_htons(ARP_REQUEST) &&
		   __builtin_memcmp(arp.sender_ip, arp.target_ip, 4)) {
		/* Everybody who knows us would learn the MAC of this port. As a probe (RFC 5227)
		 * the one who is meant answers, and nobody learns; it asks in its turn. */
		__builtin_memset(arp.sender_ip, 0, 4);
	}
	put_mac(arp.sender_mac, port_at(at)->mac);
	if (bpf_skb_store_bytes(skb, frame->l3 + __builtin_offsetof(struct arp, sender_mac),
				arp.sender_mac, 10, 0))
		return TC_ACT_SHOT;
	return leave(skb, frame, here, at);
}

/* Where an option of a neighbour discovery message is; 0: it has none. */
static __always_inline __u32 find_option(struct __sk_buff *skb, __u32 at, __u8 wanted)
{
	for (int i = 0; i < ND_MOST_OPTIONS; i++) {
		__u8 head[2];

		if (bpf_skb_load_bytes(skb, at, head, sizeof(head)) || !head[1])
			return 0;
		if (head[0] == wanted && head[1] == 1)
			return at;
		at += head[1] * 8;
	}
	return 0;
}

/* type, code, checksum, flags, target. */
struct nd {
	__u8 type, code;
	__u16 checksum;
	__u8 flags, reserved[3];
	__u8 target[16];
};

/* The port whose MAC a solicitation or an advertisement says, or confirms by saying none. */
static __always_inline int port_for_nd(struct __sk_buff *skb, const struct frame *frame, __u32 here,
				       struct nd *nd)
{
	struct rx_told_key told = {};
	__u32 role = RX_ROLE_UNKNOWN;

	bpf_skb_load_bytes(skb, frame->l3 + IPV6_SIZE, nd, sizeof(*nd));
	if (nd->type == ND_NEIGHBOUR_ADVERT) {
		role = nd->flags & ND_ROUTER_FLAG ? RX_ROLE_ROUTER : RX_ROLE_HOST;
		__builtin_memcpy(told.address, nd->target, 16);
	} else {
		bpf_skb_load_bytes(skb, frame->l3 + 8, told.address, 16);
	}
	if (!frame->group)
		return tell(skb, frame, &told, role);
	if (nd->type == ND_NEIGHBOUR_ADVERT)
		return here;
	/* Nobody knows the target's MAC yet. Repeated, the question must say the same again. */
	return drawn(skb, *(__u32 *)(nd->target + 8) ^ *(__u32 *)(nd->target + 12));
}

static __noinline __u32 find_mac(struct __sk_buff *skb, __u32 icmp, __u8 type)
{
	switch (type) {
	case ND_ROUTER_SOLICIT:
		return find_option(skb, icmp + 8, ND_SOURCE_MAC);
	case ND_ROUTER_ADVERT:
		return find_option(skb, icmp + 16, ND_SOURCE_MAC);
	case ND_NEIGHBOUR_SOLICIT:
		return find_option(skb, icmp + sizeof(struct nd), ND_SOURCE_MAC);
	default:
		return find_option(skb, icmp + sizeof(struct nd), ND_TARGET_MAC);
	}
}

__noinline int leave_nd(struct __sk_buff *skb, const struct frame *frame, __u32 here)
{
	__u32 icmp, option, at = here;
	__u8 old[8], new[8];
	struct nd nd = {};

	if (!frame)
		return TC_ACT_SHOT;
	icmp = frame->l3 + IPV6_SIZE;
	nd.type = byte_at(skb, icmp);
	if (nd.type < ND_ROUTER_SOLICIT || nd.type > ND_NEIGHBOUR_ADVERT)
		return leave(skb, frame, here, here);
	option = find_mac(skb, icmp, nd.type);
	if (option && (bpf_skb_load_bytes(skb, option, old, sizeof(old)) ||
		       mac_at(old + 2) != rx_state.mac))
		return leave(skb, frame, here, here); /* of somebody else's */
	if (nd.type >= ND_NEIGHBOUR_SOLICIT)
		at = port_for_nd(skb, frame, here, &nd);
	if (!option)
		return leave(skb, frame, here, at);
	__builtin_memcpy(new, old, sizeof(new));
	if (nd.type >= ND_NEIGHBOUR_SOLICIT)
		put_mac(new + 2, port_at(at)->mac);
	else
		/* To all, who would all learn one MAC. RFC 4861 (4.2) leaves it out for this very
		 * purpose; each then asks, and is told its own. */
		new[0] = ND_HIDDEN;
	if (bpf_l4_csum_replace(skb, icmp + __builtin_offsetof(struct nd, checksum), 0,
				bpf_csum_diff((__be32 *)old, 8, (__be32 *)new, 8, 0), 0) ||
	    bpf_skb_store_bytes(skb, option, new, sizeof(new), 0))
		return TC_ACT_SHOT;
	return leave(skb, frame, here, at);
}

/* Does it join or leave multicast groups? Those must come in where groups are received. */
static __always_inline bool is_membership(struct __sk_buff *skb, const struct frame *frame)
{
	if (!frame->group)
		return false;
	if (frame->protocol == bpf_htons(ETH_P_IP))
		return byte_at(skb, frame->l3 + 9) == IPPROTO_IGMP;
	/* MLD comes behind a router alert, and hardly anything else does. */
	return frame->protocol == bpf_htons(ETH_P_IPV6) &&
	       byte_at(skb, frame->l3 + 6) == IPPROTO_HOPOPTS;
}

/* Somebody behind the team: its MAC may not be touched, and shows at one port only. */
__noinline int leave_guest(struct __sk_buff *skb, const struct frame *frame, __u32 here)
{
	__u32 one = 1, at, first;
	__u8 mac[6];

	if (!frame)
		return TC_ACT_SHOT;
	at = drawn_for(skb, frame->src);
	if (!bpf_map_lookup_elem(&rx_guests, &frame->src))
		bpf_map_update_elem(&rx_guests, &frame->src, &one, BPF_ANY);
	first = primary(skb);
	if (at != first && is_membership(skb, frame)) {
		/* Its groups are received by the primary: join there as well, in a port's name. */
		put_mac(mac, port_at(first)->mac);
		bpf_skb_store_bytes(skb, ETH_ALEN, mac, sizeof(mac), 0);
		bpf_clone_redirect(skb, port_at(first)->ifindex, 0);
		put_mac(mac, frame->src);
		bpf_skb_store_bytes(skb, ETH_ALEN, mac, sizeof(mac), 0);
	}
	return at == here ? TCX_NEXT : bpf_redirect(port_at(at)->ifindex, 0);
}

SEC("tc")
int rx_balance_out(struct __sk_buff *skb)
{
	struct frame frame;
	int here;

	if (skb->mark == RX_MARK)
		return TCX_NEXT;
	here = slot_of(skb);
	if (here < 0 || !parse(skb, &frame) || is_link_local(&frame))
		return TCX_NEXT;
	if (frame.src != rx_state.mac)
		/* A port speaks for itself (a link watch), or was told to just now (`leave`). */
		return whose(frame.src) == NOBODYS ? leave_guest(skb, &frame, here) : TCX_NEXT;
	if (frame.protocol == bpf_htons(ETH_P_ARP))
		return leave_arp(skb, &frame, here);
	if (frame.protocol == bpf_htons(ETH_P_IPV6) && byte_at(skb, frame.l3 + 6) == IPPROTO_ICMPV6)
		return leave_nd(skb, &frame, here);
	if (is_membership(skb, &frame))
		return leave(skb, &frame, here, primary(skb));
	return leave(skb, &frame, here, here);
}

/* --- what comes in ---------------------------------------------------------------------------- */

/* It sends to the MAC of `at`: so that is what it has been told, whenever that was. */
static __always_inline void account(struct __sk_buff *skb, const struct frame *frame, __u32 at)
{
	struct rx_neighbour fresh = { .slot = at, .uses = at, .bytes = skb->len }, *known;
	__u64 who = station(frame->src, frame);

	if (frame->strange)
		return;
	known = bpf_map_lookup_elem(&rx_neighbours, &who);
	if (known) {
		/* Not atomic: one station's frames come in by one port, and it is an estimate. */
		known->bytes += skb->len;
		if (known->uses != at)
			known->uses = at;
		return;
	}
	fresh.told = bpf_ktime_get_boot_ns();
	if (!bpf_map_update_elem(&rx_neighbours, &who, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&port_at(at)->neighbours, 1);
}

/* ARP and neighbour discovery go to whoever asked, and that may have been a port for itself. */
static __always_inline bool is_resolution(struct __sk_buff *skb, const struct frame *frame)
{
	__u8 type;

	if (frame->protocol == bpf_htons(ETH_P_ARP))
		return true;
	if (frame->protocol != bpf_htons(ETH_P_IPV6) || byte_at(skb, frame->l3 + 6) != IPPROTO_ICMPV6)
		return false;
	type = byte_at(skb, frame->l3 + IPV6_SIZE);
	return type >= ND_ROUTER_SOLICIT && type <= ND_REDIRECT;
}

/* For the team: let it be the team's MAC that it is sent to. */
static __always_inline int take(struct __sk_buff *skb, const struct frame *frame, __u32 at)
{
	__u8 mac[6];

	if (!is_resolution(skb, frame))
		account(skb, frame, at);
	if (frame->dst != rx_state.mac) {
		put_mac(mac, rx_state.mac);
		if (bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0))
			return TC_ACT_SHOT;
	}
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return TCX_NEXT;
}

/* To another port's MAC. While that port lives, this is a switch flooding what it has not learned;
 * when it is dead, the primary takes its place at once. */
__noinline bool stands_in(struct __sk_buff *skb, __u32 here, __u32 owner)
{
	struct rx_port *port = port_at(owner);

	if (owner < RX_MAX_PORTS) {
		if (port->also == here + 1)
			return true;
		if (usable(skb, owner))
			return false;
	}
	if (primary(skb) != (int)here)
		return false;
	if (owner < RX_MAX_PORTS)
		/* Also when it is back, for the switch has yet to learn that. */
		port->also = here + 1;
	return true;
}

/* To or from somebody behind the team, or to a group. */
__noinline int enter_other(struct __sk_buff *skb, const struct frame *frame, __u32 here)
{
	bool guest;

	if (!frame || whose(frame->src) != NOBODYS)
		return TC_ACT_SHOT; /* our own, flooded back */
	guest = bpf_map_lookup_elem(&rx_guests, &frame->src);
	if (!frame->group)
		return !guest && drawn_for(skb, frame->dst) == (int)here ? TCX_NEXT : TC_ACT_SHOT;
	if (guest) {
		/* Its own frames come back by every port but the one by which they left. By that
		 * one it is heard only after it has moved elsewhere. */
		if (drawn_for(skb, frame->src) != (int)here)
			return TC_ACT_SHOT;
		bpf_map_delete_elem(&rx_guests, &frame->src);
		return TCX_NEXT;
	}
	return primary(skb) == (int)here ? TCX_NEXT : TC_ACT_SHOT;
}

SEC("tc")
int rx_balance_in(struct __sk_buff *skb)
{
	int here = slot_of(skb), owner;
	struct frame frame;
	struct rx_port *port;

	if (here < 0 || !parse(skb, &frame) || is_link_local(&frame))
		return TCX_NEXT;
	port = port_at(here);
	if (frame.dst == port->mac) {
		/* The way to this port's MAC is learned: nobody need stand in any longer. */
		if (port->also)
			port->also = 0;
		return take(skb, &frame, here);
	}
	owner = frame.group ? NOBODYS : whose(frame.dst);
	if (owner == NOBODYS)
		return enter_other(skb, &frame, here);
	if (!stands_in(skb, here, owner))
		return TC_ACT_SHOT;
	return take(skb, &frame, owner == THE_TEAMS ? here : owner);
}

char _license[] SEC("license") = "Dual BSD/GPL";
