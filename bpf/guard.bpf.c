// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* The guard of a team on the kernel's driver, mode activebackup. The driver sends by its active port
 * until somebody sets another one, and drops what comes in elsewhere. Between a cut and that moment,
 * which never comes while the daemon is stopped, packets are diverted here. Nothing is decided. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "device.h"
#include "guard.h"
#include "neighbours.h"

#define TCX_NEXT -1

struct guard_state guard;

struct walk {
	struct __sk_buff *skb;
	__s32 result;
};

enum { NEXT_STEP, LAST_STEP };

/* The device of a port; without an owner where the interface is none any more, or is gone. */
static __always_inline struct net_device *find_port(struct __sk_buff *skb, __u32 ifindex)
{
	return kernel_ptr(struct net_device, find_device(skb, ifindex));
}

static __always_inline bool is_the_ports_own(struct __sk_buff *skb)
{
	return is_slow_protocol(skb) || is_link_local(skb);
}

static long divert_step(__u32 i, struct walk *walk)
{
	__u32 ifindex = guard.order[guard.current & 1].port[i & (GUARD_MAX_PORTS - 1)];
	struct net_device *dev = find_port(walk->skb, ifindex);

	if (!dev->rx_handler_data || !device_carries(dev))
		return NEXT_STEP;
	walk->result = bpf_redirect(ifindex, 0);
	return LAST_STEP;
}

/* Only what goes by the active port is the team's: probes of a link watch mean the port that they are
 * sent by. Hence no packet circles, either: it is diverted to another one. */
static __noinline int divert(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kernel_skb->dev;
	struct walk walk = { .skb = skb, .result = TCX_NEXT };

	if (skb->ifindex != guard.active || !dev->rx_handler_data || is_the_ports_own(skb))
		return TCX_NEXT;
	bpf_loop(guard.order[guard.current & 1].count, divert_step, &walk, 0);
	return walk.result;
}

/* At the egress of every port. */
SEC("tc")
int team_guard_out(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);

	return device_carries(kernel_skb->dev) ? TCX_NEXT : divert(skb);
}

/* At the ingress of the ports that are not active: while the active one is dead the other side has
 * diverted too, and what comes in here is for us. */
SEC("tc")
int team_guard_in(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kernel_skb->dev, *active;
	__u32 ifindex = guard.active;

	if (!ifindex || skb->ifindex == ifindex || !dev->rx_handler_data || is_the_ports_own(skb))
		return TCX_NEXT;
	active = find_port(skb, ifindex);
	if (!active->rx_handler_data || device_carries(active))
		return TCX_NEXT;
	return bpf_redirect(guard.team, BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
