package sandbox

import "time"

// cursorTimeout is how long a cursor may be used (RFC 9865 §4).
const cursorTimeout = 10 * time.Minute
