package sandbox

import (
	"slices"
	"sync"
)

// valueIndexes find resources by the text of any stored attribute, so that a
// look-up by e-mail address or employee number costs what one by userName does.
// Each is made when it is first asked for, which reads every document once, and
// is kept up to date from then on.
type valueIndexes struct {
	making sync.Mutex // readers of the directory may ask at the same time
	byName map[string]*valueIndex
}

type valueIndex struct {
	ref   attrRef
	found map[string][]*entry
}

// indexable says whether equal texts can be found by an index. What has a few
// values only is no way to find anybody.
func (r attrRef) indexable() bool {
	leaf := r.leaf()
	return leaf != nil && !r.derived() && (leaf.Type == "string" || leaf.Type == "reference") && len(leaf.CanonicalValues) == 0
}

// indexName tells indexes apart: emails means emails.value, and a fault may
// have an attribute compared by case that otherwise is not.
func (r attrRef) indexName() string {
	name := r.urn + ":" + r.attr.Name + "." + r.leaf().Name
	if r.leaf().CaseExact {
		name += "!"
	}
	return name
}

// byValue finds the resources of which some value at ref equals text.
func (c *collection) byValue(ref attrRef, text string) []*entry {
	c.values.making.Lock()
	ix := c.values.byName[ref.indexName()]
	if ix == nil {
		ix = &valueIndex{ref: ref, found: map[string][]*entry{}}
		for _, e := range c.slots {
			if e != nil {
				ix.change(e, nil, stored(e.rev))
			}
		}
		c.values.byName[ref.indexName()] = ix
	}
	c.values.making.Unlock()
	return ix.found[ix.term(text)]
}

// term is what two texts that compare as equal have in common.
func (ix *valueIndex) term(text string) string {
	if ix.ref.leaf().CaseExact {
		return text
	}
	return fold(text)
}

func (ix *valueIndex) terms(doc *object) []string {
	if doc == nil {
		return nil
	}
	var out []string
	for _, v := range ix.ref.values(doc) {
		if text, ok := v.(string); ok {
			out = append(out, ix.term(text))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// change moves an entry from the terms of one document to those of another;
// nil is a document that is not there.
func (ix *valueIndex) change(e *entry, old, fresh *object) {
	was, is := ix.terms(old), ix.terms(fresh)
	if slices.Equal(was, is) {
		return
	}
	for _, term := range was {
		drop(ix.found, term, e)
	}
	for _, term := range is {
		ix.found[term] = append(ix.found[term], e)
	}
}

// indexValues brings the indexes up to date with an entry's new revision. The
// directory must be locked for writing.
func (c *collection) indexValues(e *entry, old, fresh *revision) {
	if len(c.values.byName) == 0 || old != nil && fresh != nil && string(old.doc) == string(fresh.doc) {
		return
	}
	var was, is *object
	if old != nil {
		was = stored(old)
	}
	if fresh != nil {
		is = stored(fresh)
	}
	for _, ix := range c.values.byName {
		ix.change(e, was, is)
	}
}

// fromIndex finds a term that must hold and that an index answers. It is exact
// if that term is the whole filter and nothing is left to compare.
func (d *directory) fromIndex(c *collection, x expr) (found []*entry, exact, ok bool) {
	switch x := x.(type) {
	case andExpr:
		left, _, ok := d.fromIndex(c, x.left)
		if ok && len(left) <= fewCandidates {
			return left, false, true
		}
		right, _, rok := d.fromIndex(c, x.right)
		if rok && (!ok || len(right) < len(left)) {
			return right, false, true
		}
		return left, false, ok
	case valueExpr:
		return c.fromValueFilter(x)
	case comparison:
		text, isText := x.value.(string)
		if x.op != "eq" || !isText || x.ref.attr == nil {
			return nil, false, false
		}
		return d.lookUp(c, x.ref, text)
	}
	return nil, false, false
}

// fromValueFilter serves externalIds[authority eq "A" and value eq "V"], in
// either order, and else goes by one of the terms between the brackets.
func (c *collection) fromValueFilter(x valueExpr) (found []*entry, exact, ok bool) {
	if x.ref.attr == nil {
		return nil, false, false
	}
	sample := newObject()
	if x.ref.urn == purecloudURN && x.ref.attr.Name == "externalIds" && describe(x.x, sample) && len(sample.members) == 2 {
		return c.byAuthority[sample.text("authority")+"\x00"+sample.text("value")], false, true
	}
	ref, text, ok := indexedTerm(x.ref, x.x)
	if !ok {
		return nil, false, false
	}
	return c.byValue(ref, text), false, true
}

// indexedTerm finds a comparison between brackets that must hold and that has
// an index.
func indexedTerm(outer attrRef, x expr) (ref attrRef, text string, ok bool) {
	switch x := x.(type) {
	case andExpr:
		if ref, text, ok := indexedTerm(outer, x.left); ok {
			return ref, text, true
		}
		return indexedTerm(outer, x.right)
	case comparison:
		ref = attrRef{urn: outer.urn, attr: outer.attr, sub: x.ref.attr}
		text, ok = x.value.(string)
		return ref, text, ok && x.op == "eq" && outer.attr.complex() && ref.indexable()
	}
	return attrRef{}, "", false
}

func (d *directory) lookUp(c *collection, ref attrRef, text string) (found []*entry, exact, ok bool) {
	if ref.urn == "" && ref.sub == nil {
		switch ref.attr.Name {
		case "id":
			if e := c.byID[text]; e != nil {
				found = []*entry{e}
			}
			return found, true, true
		case c.t.key:
			return c.byKey[fold(text)], !ref.attr.CaseExact, true
		case "externalId":
			return c.byExternal[text], true, true
		}
	}
	switch {
	case ref.attr.Name == "members" && ref.leaf() != nil && ref.leaf().Name == "value":
		for _, id := range d.memberOf[text] {
			if e := c.byID[id]; e != nil {
				found = append(found, e)
			}
		}
		return found, false, true
	case ref.indexable():
		return c.byValue(ref, text), true, true
	}
	return nil, false, false
}
