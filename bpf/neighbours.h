/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Frames that mean the port at which they are, since they are between it and its neighbour. */
#ifndef PYTEAM_NEIGHBOURS_H
#define PYTEAM_NEIGHBOURS_H

/* LACP, Marker. Behind a tag it is not. */
static __always_inline bool is_slow_protocol(struct __sk_buff *skb)
{
	return skb->protocol == bpf_htons(ETH_P_SLOW) && !skb->vlan_present;
}

/* 01:80:c2:00:00:0x (LLDP, 802.1X, STP). */
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

#endif
