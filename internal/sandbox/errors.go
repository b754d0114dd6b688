package sandbox

import (
	"errors"
	"fmt"
)

// problem is a refusal: an HTTP status with the SCIM error's fields (RFC 7644 §3.12).
type problem struct {
	status   int
	scimType string
	detail   string
	code     string // the vendor's own word for it, where a dialect has one
	header   []string
	notJSON  bool // the body could not be read at all
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.status, p.scimType, p.detail) }

func refuse(status int, scimType, format string, args ...any) *problem {
	return &problem{status: status, scimType: scimType, detail: fmt.Sprintf(format, args...)}
}

func badValue(format string, args ...any) *problem {
	return refuse(400, "invalidValue", format, args...)
}

func badFilter(format string, args ...any) *problem {
	return refuse(400, "invalidFilter", format, args...)
}

func badPath(format string, args ...any) *problem {
	return refuse(400, "invalidPath", format, args...)
}

func badSyntax(format string, args ...any) *problem {
	return refuse(400, "invalidSyntax", format, args...)
}

func notMutable(format string, args ...any) *problem {
	return refuse(400, "mutability", format, args...)
}

func notFound(what, id string) *problem {
	return refuse(404, "", "%s %q does not exist", what, id)
}

// with adds a header to the answer that carries the problem.
func (p *problem) with(name, value string) *problem {
	p.header = append(p.header, name, value)
	return p
}

// asProblem finds the problem in an error; whatever else went wrong is ours.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return refuse(500, "", "%v", err)
}
