package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPut(t *testing.T) {
	at := time.Date(2026, 11, 24, 23, 0, 0, 0, time.UTC)
	head := "| What | Figure | Measured |\n|---|---|---|\n"
	tests := []struct{ name, document, want string }{
		{"no section", "# Title\n", "# Title\n\n## Cuts\n\n" + head + "| kill | 3 of 3 | 2026-11-24 |\n"},
		{"no table", "## Cuts\n\nProse.\n\n## Next\n", "## Cuts\n\nProse.\n\n" + head + "| kill | 3 of 3 | 2026-11-24 |\n\n## Next\n"},
		{"another row", "## Cuts\n\n" + head + "| power | 1 of 1 | 2026-01-01 |\n\n## Next\n", "## Cuts\n\n" + head + "| power | 1 of 1 | 2026-01-01 |\n| kill | 3 of 3 | 2026-11-24 |\n\n## Next\n"},
		{"the row", "## Cuts\n\n" + head + "| kill | 2 of 3 | 2026-01-01 |\n", "## Cuts\n\n" + head + "| kill | 3 of 3 | 2026-11-24 |\n"},
		{"the row of another section", "## Cuts\n\n## Next\n\n" + head + "| kill | 9 | 2026-01-01 |\n", "## Cuts\n\n" + head + "| kill | 3 of 3 | 2026-11-24 |\n\n## Next\n\n" + head + "| kill | 9 | 2026-01-01 |\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, put(test.document, "Cuts", "kill", "3 of 3", at))
		})
	}
}
