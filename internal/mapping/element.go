package mapping

import (
	"scimbulk/internal/scim"
)

// elementOf makes an element of a multi-valued attribute: an object as it is,
// its members checked; anything else becomes the member that tells one element
// from another.
func elementOf(attr *scim.Attribute, v any, date *dateFormat) (any, error) {
	if o, ok := v.(map[string]any); ok {
		return membersOf(attr, o)
	}
	if attr.Type != "complex" {
		return convertAny(attr, v, date)
	}
	sub := mainSub(attr)
	if sub == nil {
		return nil, &valueError{attr.Name + " has no sub-attributes", ""}
	}
	converted, err := convertAny(sub, v, date)
	if err != nil {
		return nil, err
	}
	return scim.Object{sub.Name: converted}, nil
}

// mainSub is the sub-attribute that a bare value means: value, else the first
// that is required, else the first.
func mainSub(attr *scim.Attribute) *scim.Attribute {
	if sub := attr.Sub("value"); sub != nil {
		return sub
	}
	for i := range attr.SubAttributes {
		if attr.SubAttributes[i].Required {
			return &attr.SubAttributes[i]
		}
	}
	if len(attr.SubAttributes) > 0 {
		return &attr.SubAttributes[0]
	}
	return nil
}

// membersOf checks an object against an attribute: names are spelt as the
// schema does, read-only members and nulls are left out, members that the
// schema does not know are kept.
func membersOf(attr *scim.Attribute, o map[string]any) (any, error) {
	if attr.Type != "complex" {
		return nil, &valueError{attr.Name + " cannot be an object", "it is " + article(attr.Type)}
	}
	out := scim.Object{}
	for name, v := range o {
		sub := attr.Sub(name)
		switch {
		case v == nil:
		case sub == nil:
			out[name] = plainValue(v)
		case sub.ReadOnly():
		default:
			converted, err := subValue(sub, v)
			if err != nil {
				return nil, err
			}
			out[sub.Name] = converted
		}
	}
	return out, nil
}

func subValue(sub *scim.Attribute, v any) (any, error) {
	switch v.(type) {
	case []any, map[string]any:
		return plainValue(v), nil
	}
	if v == "" {
		return "", nil
	}
	return convertAny(sub, v, nil)
}

// plainValue makes the numbers of expressions those of the model.
func plainValue(v any) any {
	switch v := v.(type) {
	case int, int64, float64:
		n, err := convertAny(&scim.Attribute{Type: "decimal"}, v, nil)
		if err != nil {
			return nil
		}
		return n
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plainValue(e)
		}
		return list
	case map[string]any:
		o := make(scim.Object, len(v))
		for k, e := range v {
			o[k] = plainValue(e)
		}
		return o
	}
	return v
}
