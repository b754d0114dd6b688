// Package sandbox serves a SCIM 2.0 directory that keeps the rules of RFC 7643
// and RFC 7644, or those of Genesys Cloud, and misbehaves on request.
//
// It leaves flags, listening and shutting down to its caller, and imports
// nothing else of this module: it checks the client, so it shares no code
// with it.
//
// Choices of the rfc dialect where the RFCs leave one:
//   - attributes that no schema knows are dropped from POST and PUT bodies and
//     from PATCH values without a path; a PATCH path that names one is refused;
//   - schemas must be given and must hold the core URN; the URNs of extensions
//     follow from the attributes that are there;
//   - a PUT clears what it does not name, active becomes true again, and the
//     password stays;
//   - a PATCH path with a value filter replaces the whole of each match; an add
//     whose filter matches nothing creates the value that the filter describes;
//     remove takes no value;
//   - members must exist; deleting a resource takes it out of its groups, which
//     the audit does not list as changes of their own;
//   - the order of a listing without sortBy is the order of creation.
//
// Choices of the genesys dialect where the vendor's documents are silent:
//   - without --page-cap a page holds 100 resources at most, whatever is asked;
//     the 429 for a page that is too large has no Retry-After;
//   - look-ups by any documented filter find inactive users as well, and only
//     the listing without a filter leaves them out (fault hidden-inactive);
//   - a create for the userName of a deleted user makes another user, unless
//     fault revive-deleted is on;
//   - a PUT clears what it does not name, but for userName, displayName and
//     active;
//   - a role, division, skill or language of any name is taken to exist; one
//     that differs from a name of the organisation in case alone is refused;
//   - errors with a scimType have the SCIM body, all others the vendor's.
//
// The token endpoint knows the client "sandbox" with the secret "sandbox". For
// a token that lacks permissions the client's id goes on with "-without-" and
// the permissions, dots for colons and commas between them, for example
// sandbox-without-directory.user.delete; or the form has a parameter "lacking"
// with the permissions as they are.
//
// Changes made while the process was alive and answered for outlive the
// process, kill -9 included, when there is a folder. A power cut may lose them.
package sandbox
