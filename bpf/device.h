/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Can a device carry a packet at this moment? Read from the kernel's own memory: the bits flip at
 * once, whereas notifications of them are batched. */
#ifndef PYTEAM_DEVICE_H
#define PYTEAM_DEVICE_H

#define DEV_INDEX_BUCKETS 256 /* NETDEV_HASHENTRIES, net/core/dev.h */
#define DEV_INDEX_DEPTH 32    /* interfaces in one bucket that are looked at */

/* enum netdev_state_t: START and PRESENT set, NOCARRIER clear. */
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
	struct list_head ptype_all; /* taps */
	void *rx_handler_data;      /* of its master */
	void *tipc_ptr;             /* of its TIPC bearer; not in every kernel */
	struct hlist_node index_hlist;
	possible_net_t nd_net;
};
struct sock_common {
	unsigned short skc_tx_queue_mapping;
};
struct sock;
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
};
#pragma clang attribute pop

extern void *bpf_cast_to_kern_ctx(void *) __ksym;
extern void *bpf_rdonly_cast(void *, __u32) __ksym;

#define kernel_ptr(type, address) \
	((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))

static __always_inline __u64 net_of(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);

	return (__u64)kernel_skb->dev->nd_net.net;
}

/* Find a device by index as the kernel does, since its address may have changed hands. */
static __noinline __u64 find_device(struct __sk_buff *skb, __u32 ifindex)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct net *net = kernel_skb->dev->nd_net.net;
	__u64 buckets = (__u64)net->dev_index_head;
	struct hlist_head *bucket;
	struct hlist_node *node;

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

static __always_inline bool device_carries(const struct net_device *dev)
{
	return (dev->state & LINK_STATE_BITS) == LINK_STATE_USABLE;
}

/* Would a packet sent to this device now leave it? `*cached` is only ever read through
 * bpf_rdonly_cast, whose loads yield 0 where there is nothing, and believed only where index and
 * namespace fit. */
static __always_inline bool device_usable(struct __sk_buff *skb, __u32 ifindex, __u64 *cached)
{
	struct net_device *dev = kernel_ptr(struct net_device, *cached);

	if (dev->ifindex != (int)ifindex || (__u64)dev->nd_net.net != net_of(skb)) {
		*cached = find_device(skb, ifindex);
		dev = kernel_ptr(struct net_device, *cached);
		if (dev->ifindex != (int)ifindex)
			return false;
	}
	return device_carries(dev);
}

#endif
