package pipeline

import (
	"maps"

	"scimbulk/internal/plan"
	"scimbulk/internal/scim"
)

// nameIDs adds to names what the ids stand for that a change gives or takes
// away, as far as the run has come across them: people are known by their
// names.
func (w *row) nameIDs(names map[string]string) map[string]string {
	names = maps.Clone(names) // the first step of the row may hold it
	name := func(id, name string) {
		if names == nil {
			names = map[string]string{}
		}
		names[id] = name
	}
	for _, d := range w.change.Differences {
		for _, id := range append(idsIn(d.Old), idsIn(d.New)...) {
			if known := w.survey.references.nameOfID(id); known != "" {
				name(id, known)
			}
		}
	}
	if w.have != nil {
		manager, _ := valueAt(w.have.Object, managerPath()).(scim.Object)
		id, _ := manager["value"].(string)
		shown, _ := manager["displayName"].(string)
		if id != "" && shown != "" && names[id] == "" {
			name(id, shown)
		}
	}
	return names
}

// idsIn are the texts of a value that may be ids.
func idsIn(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case scim.Object:
		return idsIn(v["value"])
	case []any:
		var ids []string
		for _, e := range v {
			ids = append(ids, idsIn(e)...)
		}
		return ids
	}
	return nil
}

// nameOfID is what rows call the resource of an id, "" where none names it. A
// name that cannot be read is shown nowhere, and that is all.
func (r *references) nameOfID(id string) string {
	if r == nil || r.ids == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known, err := r.ids.find(id)
	if !known || err != nil {
		return ""
	}
	name, _ := r.texts.text(r.list.at(uint32(at)).name)
	return name
}

func managerPath() scim.Path { return scim.Path{URN: scim.EnterpriseURN, Attr: "manager"} }

// managerOf is the id of who manages a person, "" for nobody.
func managerOf(o scim.Object) string {
	path := managerPath()
	path.Sub = "value"
	id := textIn(o, path)
	return id
}

// managerAfter is the id of who manages the person once a change is made.
func managerAfter(c *plan.Change) string { return managerOf(c.After) }
