// Package scim speaks SCIM 2.0 (RFC 7643, RFC 7644) to one directory: its
// schemas, paths, filters and values on one side, its requests, errors,
// versions, pages, credentials and pace on the other.
//
// It sends a request again only where the server cannot have processed it, and
// says of every other failure what is known of its effect ([Error.Verdict]).
// Finding out the rest, deciding what to write, and remembering what was
// written are left to its callers.
package scim
