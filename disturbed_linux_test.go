package scimbulk_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a small file system of its own, or skips the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs the right to mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// remount changes a file system that smallDisk has mounted.
func remount(t *testing.T, disk string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
		t.Fatal(err)
	}
}

// TestAFullDiskStopsTheRun before it sends what it cannot record; with room
// made, resume goes on.
func TestAFullDiskStopsTheRun(t *testing.T) {
	const n = 1000
	for _, bulk := range [][]string{nil, {"--no-bulk"}} {
		disk, dir, s := smallDisk(t, "64k"), t.TempDir(), serveSandbox(t)
		input, run := crowd(t, dir, s, n), filepath.Join(disk, "run")
		stopped := scimbulk(t, dir, append([]string{"import", input, "--url", s.url, "--settle", "200ms", "--run-dir", run}, bulk...)...)
		says(t, stopped, 1, "no space left on device", "hint: ", "make room", "scimbulk resume "+run)
		if n := strings.Count(stopped.errors, "no space left"); n != 1 {
			t.Errorf("it says %d times that the disk is full:\n%s", n, stopped.errors)
		}
		remount(t, disk, 0, "size=4m")
		wants(t, 0, dir, "resume", run)
		checkOnce(t, dir, run, s, n)
	}
}

// TestARunThatMayNotBeWritten: neither a new run nor a resume sends anything.
func TestARunThatMayNotBeWritten(t *testing.T) {
	const n = 1000
	disk, dir, s := smallDisk(t, "4m"), t.TempDir(), serveSandbox(t)
	input, run := crowd(t, dir, s, n), filepath.Join(disk, "run")
	wants(t, 4, dir, "import", input, "--url", s.url, "--settle", "200ms", "--max-duration", "1ns", "--run-dir", run)
	before := len(s.events(t))
	remount(t, disk, syscall.MS_RDONLY, "")
	says(t, scimbulk(t, dir, "resume", run), 1, run, "read-only file system")
	says(t, scimbulk(t, dir, "import", input, "--url", s.url, "--run-dir", filepath.Join(disk, "new")), 1, "read-only file system")
	if writes := s.writes(t, before); len(writes) > 0 {
		t.Errorf("it sent %v", writes)
	}
	remount(t, disk, 0, "")
	wants(t, 0, dir, "resume", run)
	checkOnce(t, dir, run, s, n)
}
