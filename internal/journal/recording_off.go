//go:build nocheckpoint

package journal

const recording = false
