// Package sandbox serves a SCIM 2.0 directory that keeps the rules of RFC 7643
// and RFC 7644, or those of Genesys Cloud, and misbehaves on request.
//
// It leaves flags, listening and shutting down to its caller, and imports
// nothing else of this module: it checks the client, so it shares no code
// with it.
//
// Choices where the RFCs leave one:
//   - attributes that no schema knows are dropped from POST and PUT bodies and
//     from PATCH values without a path; a PATCH path that names one is refused;
//   - a PUT clears what it does not name, and active becomes true again;
//   - a PATCH path with a value filter replaces the whole of each match; an add
//     whose filter matches nothing creates the value that the filter describes;
//   - members must exist; deleting a resource takes it out of its groups;
//   - the order of a listing without sortBy is the order of creation.
package sandbox
