/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* The header of a frame, as receive balancing needs it: who, to whom, in which VLAN, and what follows. */
#ifndef PYTEAM_RX_FRAME_H
#define PYTEAM_RX_FRAME_H

struct frame {
	__u64 dst, src;
	__u32 l3; /* where the network header begins */
	__u16 protocol; /* as on the wire */
	__u16 vlan;
	bool group;
	bool strange; /* tags that no update could be sent behind */
};

static __always_inline __u64 mac_at(const void *bytes)
{
	const __u16 *part = bytes;
	__u32 head;

	__builtin_memcpy(&head, part, sizeof(head));
	return (__u64)head << 16 | part[2];
}

static __always_inline void put_mac(void *bytes, __u64 mac)
{
	__u32 head = mac >> 16;
	__u16 tail = mac;

	__builtin_memcpy(bytes, &head, sizeof(head));
	__builtin_memcpy(bytes + sizeof(head), &tail, sizeof(tail));
}

static __always_inline bool parse(struct __sk_buff *skb, struct frame *frame)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + ETH_HLEN > end) {
		if (bpf_skb_pull_data(skb, ETH_HLEN))
			return false;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		if (data + ETH_HLEN > end)
			return false;
	}
	frame->dst = mac_at(data);
	frame->src = mac_at(data + ETH_ALEN);
	frame->protocol = *(__u16 *)(data + 2 * ETH_ALEN);
	frame->group = *(__u8 *)data & 1;
	frame->l3 = ETH_HLEN;
	frame->vlan = 0;
	frame->strange = false;
	if (skb->vlan_present) {
		frame->vlan = RX_TAGGED | (skb->vlan_tci & 0xfff);
		frame->strange = skb->vlan_proto != bpf_htons(ETH_P_8021Q);
	}
	if (frame->protocol == bpf_htons(ETH_P_8021Q) || frame->protocol == bpf_htons(ETH_P_8021AD)) {
		__u16 tag[2];

		if (bpf_skb_load_bytes(skb, ETH_HLEN, tag, sizeof(tag)))
			return false;
		frame->strange = skb->vlan_present || frame->protocol != bpf_htons(ETH_P_8021Q);
		frame->vlan = RX_TAGGED | (bpf_ntohs(tag[0]) & 0xfff);
		frame->protocol = tag[1];
		frame->l3 += sizeof(tag);
	}
	return true;
}

static __always_inline __u64 station(__u64 mac, const struct frame *frame)
{
	return mac << 16 | frame->vlan;
}

/* 01:80:c2:00:00:0x and slow protocols are between port and port. */
static __always_inline bool is_link_local(const struct frame *frame)
{
	__u8 group[6];

	if (frame->protocol == bpf_htons(ETH_P_SLOW) && !frame->vlan)
		return true;
	if (!frame->group)
		return false;
	put_mac(group, frame->dst);
	return group[0] == 0x01 && group[1] == 0x80 && group[2] == 0xc2 && !group[3] && !group[4] &&
	       group[5] < 0x10;
}

static __always_inline __u8 byte_at(struct __sk_buff *skb, __u32 offset)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u8 byte = 0;

	if (offset < 64 && data + offset + 1 <= end)
		return *(__u8 *)(data + offset);
	bpf_skb_load_bytes(skb, offset, &byte, 1);
	return byte;
}

#endif
