package sandbox

// order keeps a subset of the slots 0, 1, 2, … and finds its k-th member in
// logarithmic time (a Fenwick tree over membership), so that a page costs the
// same wherever it starts and whatever was deleted before it.
type order struct {
	tree []int32 // 1-based: tree[i] counts the members among the lowbit(i) slots that end at i
	in   []bool
	n    int
}

// grow appends a slot and says whether it is a member.
func (o *order) grow(member bool) {
	if len(o.tree) == 0 {
		o.tree = append(o.tree, 0)
	}
	o.in = append(o.in, member)
	i := len(o.in)
	var sum int32
	if member {
		sum = 1
		o.n++
	}
	for j := i - 1; j > i-(i&-i); j -= j & -j {
		sum += o.tree[j]
	}
	o.tree = append(o.tree, sum)
}

// set puts a slot in or takes it out.
func (o *order) set(slot int, member bool) {
	if o.in[slot] == member {
		return
	}
	o.in[slot] = member
	delta := int32(1)
	if !member {
		delta = -1
	}
	o.n += int(delta)
	for i := slot + 1; i < len(o.tree); i += i & -i {
		o.tree[i] += delta
	}
}

// at returns the slot of the k-th member, counting from 0; k must be below n.
func (o *order) at(k int) int {
	step := 1
	for step*2 < len(o.tree) {
		step *= 2
	}
	pos, left := 0, int32(k)
	for ; step > 0; step /= 2 {
		if next := pos + step; next < len(o.tree) && o.tree[next] <= left {
			pos = next
			left -= o.tree[next]
		}
	}
	return pos
}
