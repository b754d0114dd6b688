package journal

import (
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// notes keeps notes one behind the other in one piece of memory.
type notes struct {
	text  []byte
	items []noteItem
	kinds []string
	index map[string]int32
	final map[string]int // the last item of each kind
}

// A noteItem is a note's kind and where its value ends in the text.
type noteItem struct {
	kind int32
	end  int
}

func (n *notes) add(kind string, value jsontext.Value) {
	if n.index == nil {
		n.index, n.final = map[string]int32{}, map[string]int{}
	}
	number, ok := n.index[kind]
	if !ok {
		number = int32(len(n.kinds))
		n.kinds = append(n.kinds, kind)
		n.index[kind] = number
	}
	n.text = append(n.text, value...)
	n.final[kind] = len(n.items)
	n.items = append(n.items, noteItem{number, len(n.text)})
}

// value returns the text of an item; appending to it changes no other.
func (n *notes) value(item int) jsontext.Value {
	start, end := 0, n.items[item].end
	if item > 0 {
		start = n.items[item-1].end
	}
	return n.text[start:end:end]
}

func (n *notes) all() iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		for i, item := range n.items {
			if !yield(n.kinds[item.kind], n.value(i)) {
				return
			}
		}
	}
}

func (n *notes) last(kind string) (jsontext.Value, bool) {
	item, ok := n.final[kind]
	if !ok {
		return nil, false
	}
	return n.value(item), true
}
