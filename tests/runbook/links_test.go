package runbook

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var link = regexp.MustCompile(`(!?)\[[^\]]*\]\(([^)#\s]+)[^)]*\)`)

// What README and docs link to is there, and no picture is fetched from elsewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	const project = "../.."
	pages := []string{"README.md", "CONTRIBUTING.md"}
	require.NoError(t, fs.WalkDir(os.DirFS(project), "docs", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			pages = append(pages, path)
		}
		return err
	}))
	links := 0
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(project, page))
		require.NoError(t, err)
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			links++
			picture, target := match[1] == "!", match[2]
			if strings.Contains(target, "://") {
				assert.False(t, picture, "%s: the picture %s is elsewhere", page, target)
				continue
			}
			assert.FileExists(t, filepath.Join(project, filepath.Dir(page), target), page)
		}
	}
	assert.Greater(t, links, 25)
}
