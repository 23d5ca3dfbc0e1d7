package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/release/plan"
)

// TestNoPathLeadsThroughALink, of any key that Docker follows and at any place on the way; where the link leads is no matter.
func TestNoPathLeadsThroughALink(t *testing.T) {
	found := func(model string, links ...string) (texts []string) {
		read, err := plan.ReadModel([]byte(model), nil)
		require.NoError(t, err, model)
		for _, problem := range plan.Links(read, "/data/releases/a-b/source", links) {
			texts = append(texts, problem.Text)
		}
		return texts
	}
	for _, model := range []string{
		`{"services":{"web":{"volumes":[{"type":"bind","source":"PATH","target":"/x"}]}}}`,
		`{"services":{"web":{"volumes":[{"type":"volume","source":"v"},{"type":"bind","source":"PATH","read_only":true}]}}}`,
		`{"services":{"web":{"build":{"context":"PATH"}}}}`,
		`{"services":{"web":{"build":{"context":"PATH","dockerfile_inline":"FROM x"}}}}`,
		`{"services":{"web":{"build":{"context":"/data/releases/a-b/source","dockerfile":"PATH"}}}}`,
		`{"services":{"web":{"build":{"context":"/data/releases/a-b/source","additional_contexts":{"x":"PATH"}}}}}`,
		`{"services":{},"secrets":{"s":{"file":"PATH"}}}`,
		`{"services":{},"configs":{"s":{"environment":"A"},"t":{"file":"PATH"}}}`,
	} {
		for _, path := range []string{"link", "link/", "link/below/it", "./link", "//link", "other/../link", "deep/er", "deep/er/below", "deep/./er/../er", "wéird na\u006de"} {
			at := strings.ReplaceAll(model, "PATH", "/data/releases/a-b/source/"+path)
			says := strings.Join(found(at, "link", "deep/er", "wéird name"), "\n")
			assert.Contains(t, says, "is a symbolic link there [path-through-link]; Fix: commit the file or folder itself", at)
			assert.Empty(t, found(at, "lin", "link2", "below", "deep/e", "er", "other", "source/link", "data"), at)
		}
		for _, path := range []string{"/data/releases/a-b/source/beside", "/data/releases/a-b/source2/link", "/data/releases/a-b/link", "/link", "link", "https://example.com/link.git", "docker-image://link"} {
			assert.Empty(t, found(strings.ReplaceAll(model, "PATH", path), "link-", "links", "LINK"), path)
		}
	}
	const build = `{"services":{"web":{"build":{"context":"/data/releases/a-b/source/web","dockerfile":"deploy/Dockerfile"}}}}`
	for _, link := range []string{"web", "web/.dockerignore", "web/deploy", "web/deploy/Dockerfile", "web/deploy/Dockerfile.dockerignore"} {
		assert.NotEmpty(t, found(build, link), link)
	}
	assert.Empty(t, found(build, "web/Dockerfile", "web/deploy/.dockerignore", ".dockerignore", "Dockerfile"))
	assert.Len(t, found(`{"services":{"web":{"build":{"context":"/data/releases/a-b/source"}}}}`, "Dockerfile"), 1, "where none is named")
}
