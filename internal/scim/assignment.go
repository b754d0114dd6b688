package scim

// Mode says what an assignment does to what is there.
type Mode int

const (
	Set        Mode = iota // this value, and no other, at a single-valued path
	Add                    // these values beside those that are there (multi-valued)
	ReplaceAll             // these values and no others (multi-valued)
	Clear                  // no value
)

// Assignment says what should stand at one path of a resource.
type Assignment struct {
	Target *Target
	Mode   Mode
	// Value is a string, bool or Number where Target addresses a single value,
	// an Object for the whole of a complex one, a []any for Add and ReplaceAll,
	// and nil for Clear.
	Value any
}

// PatchOperation is one operation of a PATCH request (RFC 7644 §3.5.2).
type PatchOperation struct {
	Op    string `json:"op"` // add, replace or remove
	Path  string `json:"path"`
	Value any    `json:"value,omitzero"`
}

// EncodePatch is the body of a PATCH request.
func EncodePatch(ops []PatchOperation) ([]byte, error) {
	return Encode(struct {
		Schemas    []string         `json:"schemas"`
		Operations []PatchOperation `json:"Operations"`
	}{[]string{PatchOpURN}, ops})
}
