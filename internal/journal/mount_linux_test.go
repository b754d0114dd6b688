package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// mount mounts a small file system of its own, or skips the test.
func mount(t *testing.T, size string) string {
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

func TestFullDisk(t *testing.T) {
	dir := filepath.Join(mount(t, "64k"), "run")
	log := newLog(t, dir)
	var err error
	durable := int64(0)
	for line := int64(1); err == nil; line++ {
		if err = log.Intend(context.Background(), []Intent{{Line: line, Op: "create"}}); err == nil {
			durable = line
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || durable == 0 {
		t.Fatalf("after %d rows: %v", durable, err)
	}
	t.Logf("after %d rows: %v", durable, err)
	failsAlways(t, log, syscall.ENOSPC)
	state := readLog(t, dir)
	equal(t, "in doubt", int64(len(state.InDoubt())), durable)
	equal(t, "torn", state.Torn, int64(0))

	// Make room, and the run can go on.
	check(t, syscall.Mount("tmpfs", filepath.Dir(dir), "tmpfs", syscall.MS_REMOUNT, "size=128k"))
	log, _, err = Open(dir)
	check(t, err)
	check(t, log.Intend(t.Context(), []Intent{{Line: durable + 1}}))
	check(t, log.Close())
}

func TestReadOnlyDirectory(t *testing.T) {
	root := mount(t, "1m")
	dir := filepath.Join(root, "run")
	check(t, newLog(t, dir).Close())
	check(t, syscall.Mount("tmpfs", root, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	if _, err := Create(filepath.Join(root, "new"), testHeader()); !errors.Is(err, syscall.EROFS) {
		t.Errorf("create: %v", err)
	}
	if _, _, err := Open(dir); !errors.Is(err, syscall.EROFS) {
		t.Errorf("open: %v", err)
	} else {
		t.Log(err)
	}
	readLog(t, dir) // looking needs no right to write
}

func TestDirectoryWithoutWritePermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o500))
	if _, err := Create(dir, testHeader()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("create: %v", err)
	}
}
