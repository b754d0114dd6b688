package pipeline

import "iter"

// chunks are a list that grows without being copied: what is in it stays where
// it is, and no more than one chunk is unused.
type chunks[T any] struct {
	list [][]T
	n    uint32
}

const chunkSize = 1024

// add appends an entry and says where it lies.
func (c *chunks[T]) add(entry T) *T {
	last := len(c.list) - 1
	if c.n%chunkSize == 0 {
		c.list = append(c.list, make([]T, 0, chunkSize))
		last++
	}
	c.list[last] = append(c.list[last], entry)
	c.n++
	return &c.list[last][len(c.list[last])-1]
}

func (c *chunks[T]) at(number uint32) *T { return &c.list[number/chunkSize][number%chunkSize] }

// all are the entries in the order in which they were added, with their numbers.
func (c *chunks[T]) all() iter.Seq2[uint32, *T] {
	return func(yield func(uint32, *T) bool) {
		for number := range c.n {
			if !yield(number, c.at(number)) {
				return
			}
		}
	}
}
