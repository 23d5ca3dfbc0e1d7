package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// TestBenchSource prints what it takes to build the program from source with nothing built before, and what the SDK's package of EC2,
// which infra/ec2 stands in for, would add. Run it with make bench.
func TestBenchSource(t *testing.T) {
	if os.Getenv("BERTH_BENCH") == "" {
		t.Skip("a benchmark, not a test; run it with: make bench")
	}
	project := harness.Project(t)
	// Modules are fetched once; what is built from them is measured.
	cache := t.TempDir()
	fmt.Printf("\nThe program's first build from source.\n\n| what | CPU seconds | seconds | MiB of the largest process | goal |\n|---|---|---|---|---|\n")
	for _, build := range []struct{ row, target, goal string }{
		{"the program", ".", "1536 MiB"},
		{"the SDK's package of EC2, on top", "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2", ""},
	} {
		command := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(t.TempDir(), "built"), build.target)
		command.Dir, command.Env = project, append(os.Environ(), "GOCACHE="+cache)
		began := time.Now()
		output, err := command.CombinedOutput()
		require.NoErrorf(t, err, "%s", output)
		used, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
		require.True(t, ok)
		cpu := command.ProcessState.UserTime() + command.ProcessState.SystemTime()
		fmt.Printf("| %s | %.0f | %.0f | %d | %s |\n", build.row, cpu.Seconds(), time.Since(began).Seconds(), used.Maxrss/1024, build.goal)
	}
}
