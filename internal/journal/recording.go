//go:build !nocheckpoint

package journal

// recording is false only in builds that measure what the log costs.
const recording = true
