/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Mode loadbalance: a hash of the packet finds one of 256 entries of a table, which names the port.
 * Part of team.bpf.c. */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct team_sent);
} team_sent SEC(".maps");

/* The loader puts a call of the hash function in the place of a call of this one. Left as it is, it
 * returns what folds to 0: without a function every packet has that hash. */
__attribute__((noinline)) int team_hash(struct __sk_buff *skb)
{
	int hash;

	asm volatile("%[hash] = %[placeholder]"
		     : [hash] "=r"(hash)
		     : [placeholder] "i"(TEAM_HASH_PLACEHOLDER), "r"(skb));
	return hash;
}

static __always_inline void count_hashed(struct __sk_buff *skb, __u32 entry)
{
	__u32 zero = 0;
	struct team_sent *sent = bpf_map_lookup_elem(&team_sent, &zero);

	if (sent)
		sent->bytes[entry & (TEAM_ENTRIES - 1)] += skb->len;
}

/* The entry's port cannot carry a packet. Its entries are dealt to the others in turns, so that none
 * of them gets all of a dead one's traffic, and no flow moves from packet to packet. */
static __noinline int deal(struct __sk_buff *skb, __u32 table, __u32 at, __u32 turn)
{
	__u32 count = team.table[table & 1].count;

	tell(&team.slot[target(table, at)->slot & (TEAM_MAX_PORTS - 1)]);
	if (count < 2)
		return TC_ACT_SHOT;
	at += 1 + turn % (count - 1);
	return divert(skb, table, at < count ? at : at - count);
}

SEC("tc")
int team_tx_lb(struct __sk_buff *skb)
{
	__u32 table = team.current & 1, hash;
	struct team_entry *entry;
	struct team_target *to;
	bool usable;
	int verdict;

	if (!team.table[table].count)
		return drop(skb);
	hash = team_hash(skb);
	hash ^= hash >> 16;
	hash ^= hash >> 8;
	hash &= TEAM_ENTRIES - 1;
	entry = &team.table[table].entry[hash];
	to = target(table, entry->at);
	usable = surely_usable(to);
	if (!usable) {
		verdict = aside(skb);
		if (verdict != AS_USUAL)
			return verdict;
		usable = look_again(skb, to);
	}
	verdict = usable ? send(skb, to) : deal(skb, table, entry->at, entry->turn);
	if (verdict != TC_ACT_SHOT)
		count_hashed(skb, hash);
	return verdict;
}
