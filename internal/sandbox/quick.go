package sandbox

// Filters and sorts over what a revision holds outside its document need not
// read the document: a search over 100,000 people then takes milliseconds.

// quick lists ref's values from the revision alone, if that can be done.
func quick(t *resourceType, ref attrRef, rev *revision) ([]any, bool) {
	if ref.urn != "" || ref.attr == nil {
		return nil, false
	}
	if ref.attr.Name == "meta" && ref.sub != nil {
		switch ref.sub.Name {
		case "created":
			return []any{rev.created.Format(timeLayout)}, true
		case "lastModified":
			return []any{rev.modified.Format(timeLayout)}, true
		}
	}
	if ref.sub != nil {
		return nil, false
	}
	switch ref.attr.Name {
	case "id":
		return []any{rev.id}, true
	case "active":
		return []any{rev.active}, ref.attr.Type == "boolean"
	case "externalId":
		if rev.external == "" {
			return nil, true
		}
		return []any{rev.external}, true
	case t.key:
		return []any{rev.key}, true
	}
	return nil, false
}

// quickMatch decides a filter from the revision alone, if that can be done.
func quickMatch(t *resourceType, x expr, rev *revision) (holds, ok bool) {
	switch x := x.(type) {
	case notExpr:
		holds, ok = quickMatch(t, x.x, rev)
		return !holds, ok
	case andExpr:
		return quickPair(t, x.left, x.right, rev, false)
	case orExpr:
		return quickPair(t, x.left, x.right, rev, true)
	case comparison:
		values, ok := quick(t, x.ref, rev)
		return ok && x.holds(values), ok
	}
	return false, false
}

// quickPair joins two sides; either of them alone decides if it has the value
// that settles the whole.
func quickPair(t *resourceType, left, right expr, rev *revision, settles bool) (holds, ok bool) {
	l, lok := quickMatch(t, left, rev)
	if lok && l == settles {
		return settles, true
	}
	r, rok := quickMatch(t, right, rev)
	if rok && r == settles {
		return settles, true
	}
	return !settles, lok && rok
}
