package pipeline

import "scimbulk/internal/scim"

// add keeps a resource that is new, or newer than it was. shared says that it
// is where two pages overlap.
func (x *listing) add(it *item, shared bool) error {
	if shared && string(it.line) == string(x.last[len(x.last)-1].line) {
		return nil
	}
	place, known, err := x.ids.find(it.id)
	switch {
	case err != nil:
		return err
	case !known:
		return x.addNew(it)
	case place < x.s.Since: // it came under another filter before
		x.s.Fresh++
		return x.revise(place, it, true)
	case !shared && x.s.Pass == 0:
		x.s.Repeated++
	}
	return x.revise(place, it, false)
}

func (x *listing) addNew(it *item) error {
	place, err := x.pages.add(*it)
	if err == nil {
		err = x.ids.put(it.id, place)
	}
	if err != nil {
		return err
	}
	x.s.Fresh++
	if x.emit != nil {
		if err := x.emit(it.raw); err != nil {
			return err
		}
	}
	return x.show(it)
}

func (x *listing) show(it *item) error {
	keep := it.keep
	if keep == nil {
		return nil
	}
	it.keep = nil
	return keep()
}

// revise keeps another version of a resource, unless it is older than the one
// that is there.
func (x *listing) revise(place int64, it *item, always bool) error {
	line, err := x.pages.at(place)
	if err != nil {
		return err
	}
	have := resource(line)
	if have == nil || it.leftOut {
		return nil
	}
	differs := string(have) != string(it.line)
	if !differs && !always || differs && older(it.line, have) {
		return nil
	}
	if place, err = x.pages.replace(place, *it); err != nil {
		return err
	}
	if differs {
		x.Newer++
	}
	if err := x.ids.put(it.id, place); err != nil {
		return err
	}
	return x.show(it)
}

// older compares the times of two versions of a resource. Of two that tell none,
// the one that was read later is the newer.
func older(a, b []byte) bool {
	return timeBefore(modified(a), modified(b))
}

func modified(text []byte) string {
	o, err := scim.DecodeObject(text)
	if err != nil {
		return ""
	}
	return keyIn(o, "meta.lastModified")
}
