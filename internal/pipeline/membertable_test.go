package pipeline

import "testing"

// TestTableRoom says that a table of rows is made as large as its input wants
// it, whatever part of that is read ahead, and that an input that is not as its
// first rows were neither loses rows nor takes memory without measure.
func TestTableRoom(t *testing.T) {
	const rows = 300_000
	for _, tc := range []struct {
		name    string
		read    func(row int) int64
		size    int64
		most    int // rows that there is room for in the end
		growths int
	}{
		{"rows of one length, read 64 KiB ahead", func(row int) int64 { return min(34*int64(row)+64<<10, 34*rows) }, 34 * rows, rows * 6 / 5, 3},
		{"long rows first", func(row int) int64 { return min(2000*int64(row), 2_000_000+10*int64(row)) }, 2_000_000 + 10*rows, rows * 3 / 2, 14},
		{"short rows first", func(row int) int64 { return int64(row) + 1 }, 1 << 40, rows * 32, 3},
		{"nothing known of the size", func(int) int64 { return 0 }, 0, rows * 3 / 2, 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var table memberTable
			growths := 0
			for row := range rows {
				before := cap(table.rows)
				table.makeRoom(tc.read(row), tc.size)
				if cap(table.rows) > before {
					growths++
				}
				table.rows = append(table.rows, memberRow{line: uint32(row)})
			}
			if c := cap(table.rows); c > tc.most || growths > tc.growths {
				t.Errorf("room for %d rows after %d growths, want at most %d after %d", c, growths, tc.most, tc.growths)
			}
			for row := range rows {
				if table.rows[row].line != uint32(row) {
					t.Fatalf("row %d is %d", row, table.rows[row].line)
				}
			}
		})
	}
}
