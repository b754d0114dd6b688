package pipeline

import (
	"encoding/binary"

	"github.com/go-json-experiment/json"
)

// nameList finds the name that belongs to an id. Both are on disk.
type nameList struct {
	pages *Pages
	ids   *idIndex
}

func newNameList() (*nameList, error) {
	pages, err := NewPages("")
	if err != nil {
		return nil, err
	}
	l := &nameList{pages: pages}
	l.ids = pages.indexed(func(place int64) (string, error) {
		id, _, err := l.at(place)
		return id, err
	})
	return l, nil
}

func (l *nameList) add(id, name string) error {
	if had, known, err := l.find(id); err != nil || known && had == name {
		return err
	}
	place, err := l.pages.line(binary.AppendUvarint(nil, uint64(len(id))), []byte(id), binary.AppendUvarint(nil, uint64(len(name))), []byte(name))
	if err != nil {
		return err
	}
	return l.ids.put(id, place)
}

// name is the name of an id, "" if there is none.
func (l *nameList) name(id string) (string, error) {
	name, _, err := l.find(id)
	return name, err
}

func (l *nameList) find(id string) (name string, known bool, err error) {
	place, known, err := l.ids.find(id)
	if err != nil || !known {
		return "", false, err
	}
	_, name, err = l.at(place)
	return name, true, err
}

// at reads the entry at a place.
func (l *nameList) at(place int64) (id, name string, err error) {
	text, err := l.pages.bytes(place, firstRead)
	if err != nil {
		return "", "", err
	}
	for length := int64(len(text)); ; length *= 4 {
		d := &rowDecoder{rest: string(text)}
		if id, name = d.text(), d.text(); !d.bad {
			return id, name, nil
		}
		if place+length >= l.pages.size {
			return "", "", errSpool
		}
		if text, err = l.pages.bytes(place, 4*length); err != nil {
			return "", "", err
		}
	}
}

// groupMembers is a group and who is in it.
type groupMembers struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

// groupList keeps groups on disk, in the order in which they came.
type groupList struct {
	pages *Pages
	ids   *idIndex
}

func newGroupList() (*groupList, error) {
	pages, err := NewPages("")
	if err != nil {
		return nil, err
	}
	return &groupList{pages: pages, ids: pages.indexed(pages.idAt)}, nil
}

// add keeps a group, in the place of an older version of it.
func (l *groupList) add(g groupMembers) error {
	line, err := json.Marshal(g)
	if err != nil {
		return err
	}
	old, known, err := l.ids.find(g.ID)
	if err != nil {
		return err
	}
	it := item{id: g.ID, line: line}
	place := old
	if known {
		place, err = l.pages.replace(old, it)
	} else {
		place, err = l.pages.add(it)
	}
	if err != nil {
		return err
	}
	return l.ids.put(g.ID, place)
}

func (l *groupList) each(do func(groupMembers) error) error {
	return l.pages.Resources(func(text []byte) error {
		var g groupMembers
		if err := json.Unmarshal(text, &g); err != nil {
			return err
		}
		return do(g)
	})
}
